"""Learn: what the three models are, how one teaches another, and what an attention rollout says. Words only."""

import streamlit as st

from dashboard.navigation import link

_DIAGRAM = """
flowchart LR
    view["One view of an image"] --> cnn["Teacher: a CNN"]
    view --> blocks["DeiT: patches,<br/>class token and<br/>distillation token"]
    blocks --> head["Class head"]
    blocks --> head_dist["Distillation head"]
    cnn --> decision["What the teacher says"]
    label["True label"] --> base(["Cross-entropy, weight 1 - α"])
    head --> base
    head_dist --> term(["Teacher's term, weight α"])
    decision --> term
"""


def render() -> None:
    st.title("Learn")
    text, _ = st.columns([4, 1])
    with text:
        _explain_models()
        _explain_distillation()
        _explain_rollout()
        _guide()


def _explain_models() -> None:
    st.subheader("Three models, one task")
    st.markdown(
        "All three learn to name what is on a small image, from the same training images and with the same seed.\n\n"
        "- The **teacher** is a convolutional network. That neighbouring pixels belong together, and that a pattern "
        "means the same wherever it stands, is built into it, so it learns quickly from few images.\n"
        "- The **ViT**, a Vision Transformer, cuts the image into patches and makes a token of each. In every block "
        "each token looks at all others and takes what it attends to. A class token collects what the class head "
        "reads. Nothing tells the model which patches are neighbours: it learns that too.\n"
        "- The **DeiT** is the same ViT with one token and one head more: the distillation token listens to the "
        "teacher. Everything else is equal, so where the two differ it is the teacher's doing, or chance."
    )


def _explain_distillation() -> None:
    st.subheader("How the distillation token learns")
    st.mermaid_chart(
        _DIAGRAM,
        alt="A view of an image goes to the teacher and to the DeiT. The class head is compared with the true label, "
        "the distillation head with what the teacher says of the same view.",
    )
    st.markdown(
        "The class head gives the logits $z_c$, the distillation head $z_d$, and the teacher $z_t$ for the very same "
        "view of the image; $y$ is the true label, $\\psi$ the softmax. In **hard** distillation the teacher's "
        "decision is a second label:"
    )
    st.latex(
        r"\mathcal{L}_\text{hard} = (1-\alpha)\,\text{CE}\big(\psi(z_c),\, y\big)"
        r" + \alpha\,\text{CE}\big(\psi(z_d),\, \textstyle\arg\max_k z_t^{(k)}\big)"
    )
    st.markdown(
        "In **soft** distillation its whole distribution is matched. The temperature $\\tau$ flattens it, which shows "
        "what the teacher finds similar, and $\\tau^2$ keeps the gradients as large as before:"
    )
    st.latex(
        r"\mathcal{L}_\text{soft} = (1-\alpha)\,\text{CE}\big(\psi(z_c),\, y\big)"
        r" + \alpha\,\tau^2\,\text{KL}\big(\psi(z_t/\tau)\,\big\|\,\psi(z_d/\tau)\big)"
    )
    st.markdown(
        "$\\alpha$ is the teacher's share. Both terms are means over the images of a batch, and label smoothing "
        "touches the true labels only. The teacher itself learns nothing here. To predict, the DeiT takes the mean of "
        "its heads' logits."
    )


def _explain_rollout() -> None:
    st.subheader("What a rollout shows")
    st.markdown(
        "Attention says how much each token takes from each other token in one block. A rollout follows this through "
        "all blocks, from the output token back to the patches: the heads of a block are fused into one attention "
        "$A_l$, half of each token is taken to pass the block unchanged, and the blocks are multiplied."
    )
    st.latex(r"R = \hat A_L \cdots \hat A_2\,\hat A_1, \qquad \hat A_l = \tfrac12 A_l + \tfrac12 I")
    st.markdown(
        "Drawn over the image is the row of $R$ of the token that the prediction is made from: where what it knows may "
        "have come from. In a ViT that is the class token; a DeiT predicts with the distillation token too, so there "
        "it is the mean of both rows, and either can be looked at alone.\n\n"
        "It does not show which class a patch speaks for, or whether it speaks for or against it: the map is the same "
        "for every class. It leaves out the MLPs and what the tokens carry, and a bright patch need not be one that "
        "the prediction depends on. Take it as a question to ask of the model, not as its answer."
    )


def _guide() -> None:
    st.subheader("A first visit")
    for url_path, label, more in (  # a label is one line, on a phone too
        ("data", "Data: look at the images", "And at what augmentation makes of them."),
        ("train", "Train: start digits-quick", "It trains a teacher, a ViT and a DeiT."),
        ("runs", "Runs: watch them learn", "By their loss and their accuracy."),
        ("compare", "Compare: set DeiT beside ViT", "Each number with its difference."),
        ("attention", "Attention: see where tokens look", "From block to block, and over all of them."),
    ):
        with st.container(gap="xxsmall"):
            link(url_path, label)
            st.caption(more)
    st.caption(
        "Sources: Vision Transformer, Dosovitskiy et al. 2020 ([arXiv:2010.11929](https://arxiv.org/abs/2010.11929)). "
        "DeiT, Touvron et al. 2020 ([arXiv:2012.12877](https://arxiv.org/abs/2012.12877)). Soft distillation, Hinton, "
        "Vinyals and Dean 2015 ([arXiv:1503.02531](https://arxiv.org/abs/1503.02531)). Attention rollout, Abnar and "
        "Zuidema 2020 ([arXiv:2005.00928](https://arxiv.org/abs/2005.00928))."
    )
