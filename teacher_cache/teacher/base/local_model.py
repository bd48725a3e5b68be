"""A small causal language model from scratch, with its own tokenizer, on unlabelled text and on instructions.

In: texts, and others with an answer to each.
Out: train_local(): config.json, model.safetensors and tokenizer files; make_config().
Imports: torch, tokenizers, transformers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from teacher_cache.errors import UserError
from teacher_cache.teacher.batches import pad_batch, shuffle_batches
from teacher_cache.teacher.progress import track
from teacher_cache.teacher.schedule import learning_rate
from teacher_cache.teacher.teacher_config import LocalBase
from teacher_cache.teacher.threads import fix_threads
from teacher_cache.teacher.tokenization import tokenize

BEGIN, END, PAD = SPECIAL = ("<s>", "</s>", "<pad>")  # the first token ids, in this order
CLIP_NORM = 1.0
WARMUP = 0.1
WEIGHT_DECAY = 0.1  # the customary value of language model training
IGNORED = -100  # transformers' mark of a position without a target


def train_local(
    config: LocalBase,
    texts: Sequence[str],
    seed: int,
    folder: Path,
    instructions: Sequence[tuple[str, str]] = (),
) -> None:
    """Train tokenizer and model on `texts`, then the model on `instructions`, and write both into `folder`.

    An instruction is a text and the answer that follows its end, of which alone the loss is: what large models are
    made to follow on public tasks before anybody fine-tunes them.

    Raises:
        UserError: no text, heads that do not divide the width, or a loss that is no longer a number.
    """
    if not texts:
        raise UserError("base: at least one training text must be given, got none")
    if config.width % config.heads or (config.width // config.heads) % 2:
        raise UserError(f"base.width must be an even multiple of base.heads, got {config.width} and {config.heads}")
    tokenizer = train_tokenizer(texts, config.vocabulary)
    fix_threads({"kind": config.kind})
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(make_config(config, len(tokenizer)))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = tokenize(tokenizer, texts, config.max_length)
    _train(model.to(device), config, rows, [0] * len(rows), seed)
    if instructions:
        asked, answers = zip(*instructions, strict=True)
        # One token each: of two names the first tokens may be the same, and they alone are asked at a text's end.
        tokens = {answer: len(SPECIAL) + place for place, answer in enumerate(sorted(set(answers)))}
        given = tokenize(tokenizer, asked, config.max_length - 1)
        rows = [[*text, tokens[answer]] for text, answer in zip(given, answers, strict=True)]
        _train(model, config, rows, list(map(len, given)), seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer of at most `vocabulary` tokens that puts every text between <s> and </s>."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    # The end token gives the classifier, which reads the last token, one and the same place to read from.
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}", special_tokens=[(BEGIN, 0), (END, 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=PAD)


def make_config(config: LocalBase, vocabulary: int) -> Any:
    """The architecture's own configuration class, for a tokenizer of `vocabulary` tokens.

    Input and output embeddings are two matrices, where the originals of BLOOM and OPT share one: early training gives
    all output embeddings one direction, the words' frequency, and BLOOM's norm over its embeddings then makes shared
    input embeddings all alike (as a 4-class teacher it lost 3 to 4 points of accuracy by it).
    """
    shared = {
        "vocab_size": vocabulary,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "bos_token_id": SPECIAL.index(BEGIN),
        "eos_token_id": SPECIAL.index(END),
        "pad_token_id": SPECIAL.index(PAD),
        "tie_word_embeddings": False,
        "use_cache": False,
    }
    by_architecture: dict[str, dict[str, Any]] = {
        "bloom": {"hidden_dropout": config.dropout},
        "opt": {
            "word_embed_proj_dim": config.width,
            "ffn_dim": 4 * config.width,
            "max_position_embeddings": config.max_length,
            "dropout": config.dropout,
        },
        # LLaMA's gated layer has three matrices; 8/3 keeps the size of the usual two of 4 times the width.
        "llama": {"intermediate_size": 8 * config.width // 3, "max_position_embeddings": config.max_length},
    }
    return AutoConfig.for_model(config.architecture, **shared, **by_architecture[config.architecture])


def _train(model: Any, config: LocalBase, tokens: Sequence[Sequence[int]], given: Sequence[int], seed: int) -> None:
    """Minimise the mean next-token loss in place; of a row's first tokens, as many as `given` says, none is asked."""
    lengths = [len(row) for row in tokens]
    plan = [
        batch for epoch in range(config.epochs) for batch in shuffle_batches(lengths, config.batch_size, (seed, epoch))
    ]
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
    model.train()
    for step, rows in enumerate(track(plan, "base", "batch")):
        batch = pad_batch([tokens[row] for row in rows], model.config.pad_token_id, model.device)
        positions = torch.arange(batch["input_ids"].shape[1], device=model.device)
        asked = positions >= torch.tensor([given[row] for row in rows], device=model.device)[:, None]
        targets = batch["input_ids"].masked_fill(~asked | (batch["attention_mask"] == 0), IGNORED)
        loss = model(**batch, labels=targets).loss
        if not torch.isfinite(loss):
            raise UserError(f"base: loss became {loss.item()} at batch {step}; lower base.learning_rate")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config.learning_rate, step, len(plan), WARMUP)
        optimizer.step()
