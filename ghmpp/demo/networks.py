"""Last step: the two networks that the model is, as plans, modules and pictures."""

from __future__ import annotations

import numpy as np

from ghmpp.compiler import Program, compile
from ghmpp.demo.report import Section
from ghmpp.demo.stage import Stage
from ghmpp.inference.queries import Inference
from ghmpp.models.channels import noisy
from ghmpp.models.queries import mean, posterior
from ghmpp.schedule.cost import cost
from ghmpp.schedule.picture import schedule_picture

SIGMA, FILE = 4.0, "network.txt"
CONVNET = "The schedule of the posterior of the digit: a ConvNet."
UNET = "The schedule of the posterior means of the pixels: a U-Net, with its skip connections."


def networks(stage: Stage) -> Section:
    """Compile the classifier and the denoiser, and show that they are a ConvNet and a U-Net."""
    classifier = compile(stage.model, posterior("digit"), given="pixel")
    denoiser = compile(stage.model, mean("pixel"), given=noisy("pixel", sigma=SIGMA))
    plans = {"ConvNet": str(classifier.schedule), "U-Net": str(denoiser.schedule)}
    print("\n" + "\n\n".join(plans.values()) + "\n", flush=True)
    total = cost(denoiser.schedule)
    size = f"{total.parameters:,} parameters and takes {total.flops:,} FLOPs per image"
    stage.say(f"The U-Net is a torch module that has {size}.")
    modules = {"ConvNet": str(classifier.network()), "U-Net": str(denoiser.network())}
    tables = [f"{plans[name]}\n\n{modules[name]}\n" for name in plans]
    stage.save_text(FILE, "\n\n".join(tables))
    stage.say(f"tables: {stage.folder / FILE}")
    convnet = stage.save_picture("convnet", schedule_picture(classifier.schedule), CONVNET)
    unet = stage.save_picture("unet", schedule_picture(denoiser.schedule), UNET)
    deviation = against_inference(denoiser, stage)
    stage.numbers["networks"] = {
        "parameters": total.parameters,
        "FLOPs": {"ConvNet": cost(classifier.schedule).flops, "U-Net": total.flops},
        "largest difference between U-Net and inference": deviation,
    }
    told = (
        "All answers above came from two schedules of messages. Asked for the digit alone, "
        "messages go from the pixels to the root: every level halves the sides of the image, with "
        f"weights that its nodes share, which is a ConvNet (Figure {convnet.number}). Asked for "
        "the pixels, messages go up and down again, and what was computed on the way up is used "
        "on the way down: an encoder, a decoder and skip connections, which is a U-Net (Figure "
        f"{unet.number}).",
        f"The U-Net is an ordinary torch module that has {size}. A tensor of noisy images goes in "
        "and their posterior means come out: those of `Inference.denoise`, with a largest "
        f"difference of {deviation:.1g}.",
    )
    listings = [(f"The plan of the {name}", plan) for name, plan in plans.items()]
    listings += [(f"The {name} as a torch module", text) for name, text in modules.items()]
    return Section(told, pictures=(convnet, unet), listings=listings)


def against_inference(denoiser: Program, stage: Stage) -> float:
    """Largest difference between the emitted network and the inference engine, on 8 images."""
    import torch

    images = stage.split.test[:8]
    z = images + SIGMA * np.random.default_rng(stage.seed).standard_normal(images.shape)
    means = denoiser.network()(torch.from_numpy(z))
    return float(np.abs(means.numpy() - Inference(stage.model).denoise(z, SIGMA)).max())
