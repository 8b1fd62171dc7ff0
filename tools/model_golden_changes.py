# SPDX-License-Identifier: Apache-2.0
"""For make_model_golden.py: one changed configuration key at a time, and what PyTorch says then.

A key whose golden value is the default of its class could be passed over by a reader unseen. So
changed.safetensors beside a checkpoint holds, for each key, the whole changed configuration (in the
metadata), and of the results on the first tokens the last rows alone: the weights of every head and
the logits of the last token.
"""

import copy
import json

import torch

TOKENS, ROWS = 32, 2
# Keys that say nothing about the forward pass: left out of the stored configurations.
SILENT = ("dropout", "pdrop", "layerdrop", "initializer", "init_std", "use_cache", "version",
          "id2label", "label2id", "is_decoder", "is_encoder_decoder", "summary_", "_token_id",
          "dtype", "output_", "classifier_", "pooler_", "architectures")


def automatic(case, config):
    """Changes of the keys that many architectures have: {key: value}."""
    found = {}
    if case.get("usual"):  # another of the same architecture has them
        return found
    keys = config.to_dict()
    for key in ("hidden_act", "hidden_activation", "activation", "activation_function"):
        if isinstance(keys.get(key), str):
            found[key] = "gelu_new" if keys[key] == "relu" else "relu"
    for key in ("layer_norm_eps", "rms_norm_eps", "layer_norm_epsilon", "norm_eps"):
        if key in keys:
            found[key] = 0.25
    rope = keys.get("rope_parameters") or {}
    nested = {name: rope[name] for name in rope if isinstance(rope[name], dict)}
    for name, members in (nested or {"": rope}).items():
        if "rope_theta" in members:
            path = ".".join(filter(None, ["rope_parameters", name, "rope_theta"]))
            found[path] = 300.0
    return found


def changes_of(case, config):
    """[(key, value)]: those of the case, several values in a tuple, and the automatic ones."""
    given = case.get("changes", {}) | case.get("late", {})
    rest = {key: value for key, value in automatic(case, config).items()
            if key not in given and key not in case.get("unread", ())}
    return [(key, value) for key, values in (given | rest).items()
            for value in (values if isinstance(values, tuple) else (values,))]


def first_tokens(inputs):
    return {key: value[:, :TOKENS] for key, value in inputs.items()}


def last_rows(result):
    """Of each kind of attention the last rows of every head; of the logits the last row."""
    kept = {key: value[:, :, -ROWS:] for key, value in result.items() if "attention" in key}
    if "logits" in result:
        kept["logits"] = result["logits"][-1:]
    return {key: value.float().contiguous() for key, value in kept.items()}


def configuration(case, config):
    """As config.json would have it, in one line."""
    written = json.loads(config.to_json_string())
    if "rewrite" in case:
        case["rewrite"](written)
    return json.dumps({key: value for key, value in written.items()
                       if value is not None and not any(word in key for word in SILENT)
                       or key == "sliding_window"}, sort_keys=True, separators=(",", ":"))


class Changes:
    """Collects the changed results of a case."""

    def __init__(self):
        self.tensors, self.metadata = {}, {}

    def add(self, case, key, model, run, inputs):
        inputs = first_tokens(inputs)
        exact, single = (run(model, inputs, dtype) for dtype in (torch.float64, torch.float32))
        number = len(self.metadata) // 3
        off = max(float((exact[name].double() - single[name].double()).abs().max())
                  for name in exact if "attention" in name or name == "logits")
        self.metadata[f"{number}.key"] = key
        self.metadata[f"{number}.config"] = configuration(case, copy.deepcopy(model.config))
        self.metadata[f"{number}.tolerance"] = repr(max(1e-5, 3 * off))
        self.tensors |= {f"{number}.{name}": value for name, value in last_rows(exact).items()}
