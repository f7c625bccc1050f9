"""Every known field of a foreign config, and how it is used. A field that is not here is refused.

Tables only, by family; deit_core.models.foreign.published reads configs by them. Sources: timm 1.0's models and their
`save_for_hf`, Hugging Face's transformers in the versions 4 and 5.
"""

import re
from typing import Any, Literal, NamedTuple

Use = Literal["honoured", "the tensors' own", "only", "no part"]


class Field(NamedTuple):
    """How a field is used: it is applied; it must agree with the tensors; it must have one of `values`, or be null,
    that is the first of them; or it has no effect on what a model computes from an image."""

    use: Use
    values: tuple[Any, ...] = ()


Fields = dict[str, Field]


def _each(use: Use, names: str) -> Fields:
    return dict.fromkeys(names.split(), Field(use))


def _only(**values: tuple[Any, ...]) -> Fields:
    return {name: Field("only", allowed) for name, allowed in values.items()}


def _without(names: str) -> Fields:
    return dict.fromkeys(names.split(), Field("only", (False,)))


# The width of timm's ViTs by name, with their number of heads; the parts before and after may vary.
TIMM_HEADS = {"tiny": 3, "small": 6, "medium": 8, "base": 12, "large": 16, "huge": 16, "giant": 16, "gigantic": 16}
_SIZE = rf"(?P<size>{'|'.join(TIMM_HEADS)})"
TIMM_VIT = re.compile(
    r"(?!vit_giant_.*dinov2)"  # whose MLP has a gate
    rf"(?:vit|deit|deit3)_{_SIZE}_(?:distilled_)?patch\d+_(?:\d+(?:_in21k|_miil|_miil_in21k|_dino|_sam)?|(?:reg4_)?dinov2)"
)
TIMM_CNN = re.compile("(?:tv_)?resnet(?:18|50)")

TIMM_PRETRAINED = (
    _each("honoured", "mean std input_size label_names")
    | _only(label_offset=(0,))
    | _each(
        "no part",
        "architecture tag source url file hf_hub_id hf_hub_filename custom_load num_classes num_features "
        "test_input_size min_input_size fixed_input_size interpolation crop_pct test_crop_pct crop_mode "
        "label_descriptions pool_size test_pool_size first_conv classifier license description origin_url "
        "paper_name paper_ids notes",
    )
)
_TIMM_DROPS = _each(
    "no part",
    "drop_rate pos_drop_rate patch_drop_rate proj_drop_rate attn_drop_rate drop_path_rate drop_block_rate weight_init "
    "fix_init zero_init_last",
)
TIMM_VIT_ARGS = (
    _each("honoured", "num_heads img_size")
    | _each(
        "the tensors' own",
        "patch_size in_chans num_classes embed_dim depth mlp_ratio qkv_bias init_values reg_tokens no_embed_class "
        "fc_norm",
    )
    | _only(
        global_pool=("token", "avg"),
        act_layer=("gelu",),
        norm_layer=("layernorm", "LayerNorm"),
        pos_embed=("learn",),
        class_token=(True,),
        final_norm=(True,),
        proj_bias=(True,),
        embed_norm_layer=(),
    )
    | _without("qk_norm scale_attn_norm scale_mlp_norm pre_norm pool_include_prefix dynamic_img_pad")
    | _each("no part", "dynamic_img_size strict_img_size")
    | _TIMM_DROPS
)
TIMM_CNN_ARGS = (
    _each("the tensors' own", "num_classes in_chans layers cardinality base_width stem_width channels")
    | _only(
        global_pool=("avg",),
        output_stride=(32,),
        act_layer=("relu",),
        norm_layer=("batchnorm2d", "batchnorm"),
        stem_type=("",),
        replace_stem_pool=(False,),
        avg_down=(False,),
        down_kernel_size=(1,),
        block_reduce_first=(1,),
        aa_layer=(),
        block_args=({},),
    )
    | _TIMM_DROPS
)
# Of a network that timm builds by its name: any other argument would build another one.
TIMM_NAMED_ARGS = _each("the tensors' own", "num_classes in_chans") | _TIMM_DROPS
TIMM_TOP = (
    _each("honoured", "architecture global_pool label_names model_args pretrained_cfg")
    | _each("the tensors' own", "num_classes")
    | _each("no part", "num_features label_descriptions")
)

# The defaults of the library.
HUGGING_FACE_EPS = {"vit": 1e-12, "deit": 1e-12, "vit_msn": 1e-6, "dinov2": 1e-6, "dinov2_with_registers": 1e-6}
HUGGING_FACE_HEADS = 12
HUGGING_FACE_ANY_SIZE = ("dinov2", "dinov2_with_registers")  # which it shows images of its processor's size
HUGGING_FACE = (
    _each("honoured", "num_attention_heads layer_norm_eps image_size id2label")
    | _each(
        "the tensors' own",
        "hidden_size num_hidden_layers intermediate_size mlp_ratio patch_size num_channels qkv_bias num_labels "
        "head_dim num_register_tokens",
    )
    | _only(
        model_type=tuple(HUGGING_FACE_EPS),
        architectures=tuple(
            [f"{model}{task}"]
            for model in ("ViT", "DeiT", "ViTMSN", "Dinov2", "Dinov2WithRegisters")
            for task in (
                "ForImageClassification",
                "ForImageClassificationWithTeacher",
                "ForMaskedImageModeling",
                "Model",
            )
        ),
        hidden_act=("gelu", "gelu_python"),
        use_swiglu_ffn=(False,),
        pruned_heads=({},),
        per_layer_config=({},),
        quantization_config=(),
        auto_map=(),
    )
    | _each(
        "no part",
        "_name_or_path transformers_version label2id dtype torch_dtype hidden_dropout_prob "
        "attention_probs_dropout_prob initializer_range encoder_stride pooler_output_size pooler_act problem_type "
        "chunk_size_feed_forward output_attentions output_hidden_states return_dict torchscript use_bfloat16 "
        "use_mask_token tie_last_hidden_states _attn_implementation attn_implementation layerscale_value "
        "drop_path_rate apply_layernorm reshape_hidden_states stage_names out_features out_indices _out_features "
        "_out_indices "
        # of models of text, which every config of version 4 has as well
        "tie_word_embeddings is_encoder_decoder is_decoder cross_attention_hidden_size add_cross_attention "
        "tie_encoder_decoder finetuning_task task_specific_params tokenizer_class prefix bos_token_id pad_token_id "
        "eos_token_id sep_token_id decoder_start_token_id max_length min_length do_sample early_stopping num_beams "
        "temperature top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size "
        "encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores return_dict_in_generate "
        "forced_bos_token_id forced_eos_token_id remove_invalid_values exponential_decay_length_penalty "
        "suppress_tokens begin_suppress_tokens num_beam_groups diversity_penalty tf_legacy_loss",
    )
)

HUGGING_FACE_MEAN = 0.5  # and standard deviation, of its ViTs' image processors
HUGGING_FACE_PIXELS = (
    _each(
        "honoured",
        "do_normalize image_mean image_std do_rescale rescale_factor size crop_size do_resize do_center_crop",
    )
    | _only(
        image_processor_type=tuple(
            f"{model}ImageProcessor{kind}" for model in ("ViT", "DeiT", "Bit") for kind in ("", "Fast", "Pil")
        ),
        feature_extractor_type=("ViTFeatureExtractor", "DeiTFeatureExtractor"),
        do_pad=(False,),
        auto_map=(),
    )
    | _each(
        "no part",
        "resample do_convert_rgb pad_size default_to_square data_format input_data_format device return_tensors "
        "disable_grouping image_seq_length processor_class _processor_class _valid_processor_keys",
    )
)

# The note in an export of ours.
NOTE = _each("honoured", "num_heads mean std img_size classes in_chans layer_norm_eps timm_name")

CONFIGS: dict[str, Fields] = {
    "timm's config.json": TIMM_TOP,
    "timm's config.json, pretrained_cfg": TIMM_PRETRAINED,
    "timm's config.json, model_args of a ViT": TIMM_VIT_ARGS,
    "timm's config.json, model_args of a ResNet": TIMM_CNN_ARGS,
    "timm's config.json, model_args of another network": TIMM_NAMED_ARGS,
    "Hugging Face's config.json": HUGGING_FACE,
    "Hugging Face's preprocessor_config.json": HUGGING_FACE_PIXELS,
    "an export's note": NOTE,
}
