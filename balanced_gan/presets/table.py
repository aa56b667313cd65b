"""Systems that this one grew out of, each as a small set of values for `Settings`."""

from typing import Any

# What training depends on is listed even where our default is the same today, so that tuning a
# default changes none of these systems. None of them averaged its generator, or mirrored,
# oversampled or augmented its pictures.
_AS_IT_WAS = {
    "mirror": False,
    "oversampling": 0.0,
    "augmentation": False,
    "ema_decay": 0.0,
    "learning_rate_decay": 0.0,
    "discriminator_warm_up": 0,
    "beta_2": 0.999,
    "r1": 0.0,
}
PRESETS: dict[str, dict[str, Any]] = {
    "balanced": {},
    # jhayes14/GAN: the rule's first form, with networks of 18.9 and 17.2 million parameters.
    "original": {
        **_AS_IT_WAS,
        "crop": "stretch",
        "networks": "original",
        "width": 128,
        "latent_dim": 100,
        "latent_prior": "uniform",
        "dropout": 0.2,
        "batch_size": 50,
        "generator_learning_rate": 2e-5,
        "discriminator_learning_rate": 2e-5,
        "beta_1": 0.0005,
        "margin": 0.1,
        "balance": "two_step_repeat",
    },
    # Minigrim0/GANgster, part 1: points of a sine curve. The original trained both networks on each
    # batch, for 500 epochs. The rule, the averaging and Adam's beta_1 are ours: at the usual 0.9,
    # some seeds stayed far from the curve.
    "sine": {
        "networks": "points",
        "width": 16,
        "latent_dim": 2,
        "dropout": 0.3,
        "augmentation": False,
        "batch_size": 32,
        "epochs": 300,
        "generator_learning_rate": 1e-3,
        "discriminator_learning_rate": 1e-3,
        "beta_1": 0.5,
        "beta_2": 0.999,
        "learning_rate_decay": 0.0,
        "discriminator_warm_up": 0,
        "r1": 0.0,
        "precision": "float32",
        "grid_every_epochs": 25,
        "grid_side": 32,
    },
    # Minigrim0/GANgster, part 2: frontal police photographs, fully connected networks.
    "mugshots": {
        **_AS_IT_WAS,
        "pattern": "**/*F.png",
        "crop": "stretch",
        "channels": 1,
        "networks": "dense",
        "width": 512,
        "latent_dim": 50,
        "dropout": 0.3,
        "batch_size": 64,
        "generator_learning_rate": 1e-5,
        "discriminator_learning_rate": 1e-5,
        "beta_1": 0.9,
        "balance": "two_step",
    },
    # An article of 2020 on CelebA at 128x128, in Keras. Its label noise only moves labels to 0.5.
    "celeba128": {
        **_AS_IT_WAS,
        "source_width": 178,
        "source_height": 208,
        "crop": "center",
        "image_size": 128,
        "networks": "celeba128",
        "width": 256,
        "latent_dim": 32,
        "dropout": 0.4,
        "batch_size": 16,
        "generator_learning_rate": 1e-4,
        "discriminator_learning_rate": 1e-4,
        "optimizer": "rmsprop",
        "clip_value": 1.0,
        "learning_rate_decay": 1e-8,
        "label_noise": 0.05,
        "balance": "two_step",
        "grid_every_epochs": None,
        "grid_every_steps": 50,
        "grid_side": 6,
    },
    # Radford et al. 2015, as in two PyTorch projects: Neill-Erasmus/ai-generated-art and
    # Achronus/Machine-Learning-101.
    "dcgan": {
        **_AS_IT_WAS,
        "crop": "center",
        "networks": "dcgan",
        "width": 64,
        "latent_dim": 100,
        "batch_size": 64,
        "generator_learning_rate": 2e-4,
        "discriminator_learning_rate": 2e-4,
        "beta_1": 0.5,
        "balance": "two_step",
        "grid_every_epochs": None,
        "grid_every_steps": 100,
    },
}
