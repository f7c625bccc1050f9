
# A demo on Hugging Face Spaces, whose pages show it in a frame.
ENV DEIT_DEMO=1 \
    DEIT_FRAMED_BY=https://huggingface.co \
    DEIT_RUNS_DIR=/app/checkpoints
CMD ["--server.allowedHosts=*.hf.space"]
