# SPDX-License-Identifier: Apache-2.0
# The public headers, one list: platform/error.h, session/session.h, render/*.h and all that they include.
# tools/check_floors.py fails when one of them includes a header that is not here.
set(REGARD_PUBLIC_HEADERS
    regard/platform/error.h
    regard/platform/json.h
    regard/platform/mapped_file.h
    regard/platform/threads.h
    regard/tensor/dtype.h
    regard/tensor/tensor.h
    regard/checkpoint/checkpoint.h
    regard/checkpoint/gguf.h
    regard/checkpoint/safetensors.h
    regard/checkpoint/tensor_table.h
    regard/checkpoint/torch_file.h
    regard/tokenizer/tokenizer.h
    regard/kernels/activation.h
    regard/attention/attention_map.h
    regard/attention/overview.h
    regard/attention/score.h
    regard/trace/trace.h
    regard/model/generation.h
    regard/model/kv_cache.h
    regard/model/model.h
    regard/model/model_spec.h
    regard/model/observer.h
    regard/model/rotary_spec.h
    regard/model/tensor_names.h
    regard/analysis/explain.h
    regard/analysis/view.h
    regard/render/colour.h
    regard/render/data.h
    regard/render/picture.h
    regard/render/terminal.h
    regard/session/session.h
    regard/session/settings.h)

