"""The model: two networks, one forward pass, one network's update a batch."""

import keras
import tensorflow as tf
from keras import ops

from balanced_gan.augment import augment
from balanced_gan.balance import next_streak, whose_turn
from balanced_gan.losses import discriminator_loss, generator_loss
from balanced_gan.settings import Settings

HALVING_TURNS = 1000  # of one network, after which its learning rate is half of what it was


class BalancedGAN(keras.Model):
    """A GAN whose generator and discriminator take turns so that neither overpowers the other.

    On each batch both networks run forward once, which gives both losses; `whose_turn`
    then picks the network that trains, and only that one runs backward. An exponential
    moving average (EMA) of the generator is kept from the first batch on and makes the
    pictures: it is steadier than the generator itself (Yazici et al. 2019, arXiv 1806.04498).

    Example:

    >>> gan = BalancedGAN(build_generator(), build_discriminator(), margin=0.5)
    >>> gan.compile()
    >>> gan.fit(dataset, epochs=10)  # batches of float32 (B, S, S, C) in [-1, 1]
    >>> pictures = gan.generate(20)

    Args:
        generator: functional or Sequential `keras.Model`, (B, latent_dim) ->
            (B, S, S, C) in [-1, 1].
        discriminator: `keras.Model`, (B, S, S, C) -> (B, 1) logits. No BatchNorm in it:
            real and generated pictures pass through it apart.
        margin: *e*, in nats: the turns keep |loss_G - loss_D| below it.
        balance: "margin" for the rule; "alternate" to take turns whatever the losses;
            "both" to train both networks on every batch, from the same forward pass.
        max_streak: most turns in a row for one network.
        augmentation: whether the discriminator sees pictures through `augment`.
        ema_decay: share of the past in the average of the generator's weights, in [0, 1).
        seed: of latents and augmentation.

    Raises:
        ValueError: if `balance` is unknown.
    """

    def __init__(
        self,
        generator,
        discriminator,
        margin=Settings.margin,
        balance=Settings.balance,
        max_streak=Settings.max_streak,
        augmentation=Settings.augmentation,
        ema_decay=Settings.ema_decay,
        seed=Settings.seed,
    ):
        super().__init__()
        if balance not in ("margin", "alternate", "both"):
            raise ValueError(
                f'balance must be "margin", "alternate" or "both". Received: balance={balance!r}'
            )
        self.generator = generator
        self.discriminator = discriminator
        self.ema_generator = _float32_copy(generator)
        self.margin = float("inf") if balance == "alternate" else margin
        self.balance = balance
        self.max_streak = max_streak
        self.augmentation = augmentation
        self.ema_decay = ema_decay
        self.latent_dim = generator.input_shape[-1]
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Counters are variables so that checkpoints and compiled graphs carry them.
        self.generator_turns = self._counter("generator_turns")
        self.discriminator_turns = self._counter("discriminator_turns")
        self.streak = self._counter("streak")
        self.batches = self._counter("batches")
        self.built = True

    def _counter(self, name):
        return self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name=name
        )

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, **kwargs):
        """Sets the optimizers.

        Args:
            generator_optimizer: a `keras.optimizers.Optimizer`; if None, `adam` with the
                default learning rate.
            discriminator_optimizer: the same for the discriminator; its own instance.
            **kwargs: passed on to `keras.Model.compile`.
        """
        # XLA, which Keras may choose on its own, is far slower on a CPU.
        super().compile(optimizer=None, jit_compile=False, **kwargs)
        self.generator_optimizer = generator_optimizer or adam(Settings.generator_learning_rate)
        self.discriminator_optimizer = discriminator_optimizer or adam(
            Settings.discriminator_learning_rate
        )
        # Their slots must exist before a branch of the graph first uses them.
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def train_step(self, real):
        """One batch: forward once, losses, whose turn, that network's update.

        Args:
            real: (B, S, S, C) float32 in [-1, 1].

        Returns:
            A dict of scalars: `loss_G`, `loss_D`, `gap` (of this batch), and
            `turn_G` and `turn_D`, 1 for who trained and 0 for who did not.
        """
        latents = self.random_latents(ops.shape(real)[0])
        with tf.GradientTape(persistent=True) as tape:
            # training=True even when only the discriminator learns: shown pictures made
            # with moving statistics, it judges a generator that nobody trains, and both
            # losses sink to zero together.
            generated = self.generator(latents, training=True)
            real_logits = self._judge(real)
            generated_logits = self._judge(generated)
            loss_g = generator_loss(generated_logits)
            loss_d = discriminator_loss(real_logits, generated_logits)

        gap = loss_g - loss_d
        self.batches.assign_add(1)

        def generator_trains():
            self._update(tape, loss_g, self.generator, self.generator_optimizer)
            self._follow_generator()
            return 1

        def discriminator_trains():
            self._update(tape, loss_d, self.discriminator, self.discriminator_optimizer)
            return 0

        if self.balance == "both":
            discriminator_trains()
            turn_g, turn_d = generator_trains(), 1
        else:
            generator_turn = whose_turn(gap, self.margin, self.streak.value, self.max_streak)
            turn_g = tf.cond(generator_turn, generator_trains, discriminator_trains)
            turn_d = 1 - turn_g
            self.streak.assign(next_streak(self.streak.value, turn_g))
        self.generator_turns.assign_add(turn_g)
        self.discriminator_turns.assign_add(turn_d)
        return {"loss_G": loss_g, "loss_D": loss_d, "gap": gap, "turn_G": turn_g, "turn_D": turn_d}

    def _judge(self, pictures):
        """Logits of pictures, seen through the augmentation."""
        if self.augmentation:
            pictures = augment(pictures, self.seed_generator)
        return self.discriminator(pictures, training=True)

    def _update(self, tape, loss, network, optimizer):
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    def _follow_generator(self):
        """Moves the EMA generator towards the generator, moving statistics included."""
        # The average is short at first, or the untrained generator would show through.
        turns = ops.cast(self.generator_turns, "float32")
        decay = ops.minimum(self.ema_decay, (1 + turns) / (10 + turns))
        for slow, fast in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            slow.assign(decay * slow + (1 - decay) * fast)

    def call(self, latents):
        """Pictures of latents, (B, latent_dim) -> (B, S, S, C), from the EMA generator."""
        return self.ema_generator(latents)

    def random_latents(self, count):
        """Latents from the model's own random stream, (count, latent_dim), normal(0, 1)."""
        return keras.random.normal((count, self.latent_dim), seed=self.seed_generator)

    def generate(self, count):
        """Pictures from the EMA generator.

        Args:
            count: how many.

        Returns:
            (count, S, S, C) float32 NumPy array in [-1, 1].
        """
        return self.predict(self.random_latents(count), batch_size=64, verbose=0)


def adam(learning_rate):
    """Adam for one of the networks, with beta_1 of 0.5 (Radford et al. 2015).

    Args:
        learning_rate: of the first turn; it falls to a half after `HALVING_TURNS` turns, a
            third after twice as many, and so on. Fast at first, since early pictures are
            what one waits for; slower later, since at a constant rate the pictures grow
            alike. It does not depend on how long the run will be, so that training a
            finished run further is the same as having asked for more at once.
    """
    schedule = keras.optimizers.schedules.InverseTimeDecay(learning_rate, HALVING_TURNS, 1.0)
    return keras.optimizers.Adam(schedule, beta_1=0.5)


def _float32_copy(generator):
    """The same network with the same weights, computing in float32."""
    copy = keras.models.clone_model(
        generator,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "dtype": "float32"}
        ),
    )
    copy.set_weights(generator.get_weights())
    return copy
