"""The three models, how one teaches another, and what an attention rollout shows, on one page. Words only."""

import streamlit as st

# At most two things side by side, in large letters, so that it is readable on a phone too.
_DIAGRAM = """
%%{init: {"flowchart": {"nodeSpacing": 20, "rankSpacing": 30, "padding": 8, "wrappingWidth": 260},
          "themeVariables": {"fontSize": "20px"}}}%%
flowchart TB
    view["One view<br/>of an image"] --> cnn["Teacher:<br/>a CNN"]
    view --> blocks["DeiT with<br/>two tokens"]
    cnn --> decision["Teacher's<br/>logits"]
    blocks --> head_dist["Distillation<br/>head"]
    head_dist --> term(["Teacher's term,<br/>weight α"])
    decision --> term
    blocks ----> head["Class<br/>head"]
    term ~~~ label["True<br/>label"]
    label --> base(["Cross-entropy,<br/>weight 1 - α"])
    head --> base
"""
_DIAGRAM_WIDTH = 440  # px


def article() -> None:
    _explain_models()
    _explain_distillation()
    _explain_rollout()
    _name_sources()


def _explain_models() -> None:
    st.header("Three models, one task")
    st.markdown(
        "All three learn to name what is on a small image, from the same training images and with the same seed.\n\n"
        "- The **teacher** is a convolutional network (CNN). It is built to treat neighbouring pixels together, and to "
        "recognise a pattern at any position. So it learns quickly from few images.\n"
        "- The **ViT**, a Vision Transformer, cuts the image into patches and turns each patch into a token. In every "
        "block each token attends to all tokens and takes information from them. A class token collects what the class "
        "head needs. The model does not know which patches are neighbours: it has to learn that too.\n"
        "- The **DeiT** is the same ViT with one more token and one more head: the distillation token learns from the "
        "teacher. Everything else is equal, so a difference between the two comes from the teacher, or from chance."
    )


def _explain_distillation() -> None:
    st.header("How the distillation token learns")
    st.mermaid_chart(
        _DIAGRAM,
        width=_DIAGRAM_WIDTH,
        alt="A view of an image goes to the teacher and to the DeiT. The class head is compared with the true label, "
        "the distillation head with the teacher's logits for the same view.",
    )
    st.markdown(
        "The class head gives the logits $z_c$ (one number for each class), the distillation head $z_d$, and the "
        "teacher $z_t$ for the very same view of the image; $y$ is the true label. $\\psi$ is the softmax, which makes "
        "probabilities of logits, CE the cross-entropy, and KL the Kullback-Leibler divergence. In **hard** "
        "distillation the class with the teacher's largest logit is a second label:"
    )
    st.latex(
        r"\begin{aligned}\mathcal{L}_\text{hard} = {}& (1-\alpha)\,\text{CE}\big(\psi(z_c),\, y\big) \\"
        r" &+ \alpha\,\text{CE}\big(\psi(z_d),\, \textstyle\arg\max_k z_t^{(k)}\big)\end{aligned}"
    )
    st.markdown(
        "In **soft** distillation the student matches the teacher's whole distribution. The temperature $\\tau$ "
        "flattens it, which shows which classes the teacher finds similar. The factor $\\tau^2$ keeps the size of the "
        "gradients:"
    )
    st.latex(
        r"\begin{aligned}\mathcal{L}_\text{soft} = {}& (1-\alpha)\,\text{CE}\big(\psi(z_c),\, y\big) \\"
        r" &+ \alpha\,\tau^2\,\text{KL}\big(\psi(z_t/\tau)\,\big\|\,\psi(z_d/\tau)\big)\end{aligned}"
    )
    st.markdown(
        "$\\alpha$ is the weight of the teacher's term. Both terms are means over the images of a batch. Label "
        "smoothing changes the true labels only. The teacher itself does not learn. To predict, the DeiT takes the "
        "mean of the logits of its two heads."
    )


def _explain_rollout() -> None:
    st.header("What a rollout shows")
    st.markdown(
        "Attention is how much each token takes from each other token in one block. A rollout follows this through "
        "all blocks, from the output token back to the patches. It combines the heads of a block into one "
        "attention matrix $A_l$, assumes that half of each token passes the block unchanged, and multiplies the blocks."
    )
    st.latex(
        r"\begin{aligned}R &= \hat A_L \cdots \hat A_2\,\hat A_1 \\ \hat A_l &= \tfrac12 A_l + \tfrac12 I\end{aligned}"
    )
    st.markdown(
        "The map over the image is the row of $R$ of the token that the prediction is made from: where its information "
        "may have come from. In a ViT that is the class token. A DeiT predicts with the distillation token too, so the "
        "map is the mean of both rows, and you can look at each row alone.\n\n"
        "A rollout does not show which class a patch supports or opposes: the map is the same for every class. It "
        "ignores the content of the tokens and the MLPs, the parts of a block that work on each token by itself, and "
        "the prediction may not depend on a bright patch at all. Use it to ask questions about the model, not as an "
        "answer."
    )


def _name_sources() -> None:
    st.caption(
        "Sources: Vision Transformer, Dosovitskiy et al. 2021 ([arXiv:2010.11929](https://arxiv.org/abs/2010.11929)). "
        "DeiT, Touvron et al. 2021 ([arXiv:2012.12877](https://arxiv.org/abs/2012.12877)). Soft distillation, Hinton, "
        "Vinyals and Dean 2015 ([arXiv:1503.02531](https://arxiv.org/abs/1503.02531)). Attention rollout, Abnar and "
        "Zuidema 2020 ([arXiv:2005.00928](https://arxiv.org/abs/2005.00928))."
    )
