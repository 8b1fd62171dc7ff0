#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes fuzz/corpus/{safetensors,gguf,pickle,trace,http}: good_* must open, bad_* must be refused.

fuzz/corpus/pickle holds whole files of torch.save (they begin with "PK") and bare pickles."""
import io
import json
import math
import pathlib
import struct
import zipfile

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus"


def tensor(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def pack(header, data=b"\0" * 4, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


PAIR = [tensor(offsets=(0, 4)), tensor(offsets=(4, 8))]
SAFETENSORS = {
    "good_one": pack({"a": tensor()}),
    "good_empty": pack({}, b""),
    "good_scalar_and_nothing": pack({"a": tensor(shape=()), "b": tensor(shape=(0, 3), offsets=(4, 4))}),
    "good_metadata": pack({"__metadata__": {"k": "v"}, "a": tensor()}),
    "good_unaligned": pack(b" ".join([b"{", json.dumps({"a": tensor()}).encode()[1:]])),
    "bad_nothing": b"",
    "bad_seven_bytes": b"\0" * 7,
    "bad_length_2_63": pack({"a": tensor()}, length=1 << 63),
    "bad_length_all_ones": pack({"a": tensor()}, length=(1 << 64) - 1),
    "bad_truncated_header": pack({"a": tensor()}, b"", length=1000),
    "bad_truncated_data": pack({"a": tensor()}, b"\0" * 3),
    "bad_empty_header": pack(b""),
    "bad_leading_space": pack(b" " + json.dumps({"a": tensor()}).encode()),
    "bad_array": pack(b"[]", b""),
    "bad_json": pack(b'{"a"', b""),
    "bad_duplicate": pack(b'{"a":%b,"a":%b}' % tuple(json.dumps(t).encode() for t in PAIR), b"\0" * 8),
    "bad_dtype": pack({"a": tensor(dtype="F31")}),
    "bad_negative_axis": pack({"a": tensor(shape=(-1,))}),
    "bad_overflowing_shape": pack({"a": tensor(shape=(1 << 40, 1 << 40))}),
    "bad_offsets_and_shape": pack({"a": tensor(shape=(2,))}),
    "bad_offsets_reversed": pack({"a": tensor(offsets=(4, 0))}),
    "bad_offsets_beyond": pack({"a": tensor(offsets=(4, 8))}),
    "bad_one_offset": pack({"a": tensor(offsets=(4,))}),
    "bad_hole": pack({"a": PAIR[0], "b": tensor(offsets=(8, 12))}, b"\0" * 12),
    "bad_overlap": pack({"a": tensor(), "b": tensor()}),
    "bad_trailing": pack({"a": tensor()}, b"\0" * 5),
    "bad_metadata": pack({"__metadata__": {"k": 1}, "a": tensor()}),
    "bad_metadata_list": pack({"__metadata__": [], "a": tensor()}),
    "bad_missing_shape": pack({"a": {"dtype": "F32", "data_offsets": [0, 4]}}),
}

# GGUF: numbers of value types and tensor types as in docs/gguf.md and ggml.h.
U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q",
         I64: "q", F64: "d"}
ALL_ONES = (1 << 64) - 1
TENSOR_F32, TENSOR_Q4_0, TENSOR_Q4_K, TENSOR_IQ2_XXS = 0, 2, 12, 16


def text(value, length=None):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(value) if length is None else length) + value


def number(kind, value):
    return struct.pack("<" + CODES[kind], value)


def value(key, kind, data):
    return text(key) + struct.pack("<I", kind) + data


def array(kind, count, data):
    return struct.pack("<IQ", kind, count) + data


def info(name="a", shape=(1,), kind=TENSOR_F32, offset=0, axes=None):
    return (text(name) + struct.pack("<I", len(shape) if axes is None else axes) +
            struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset))


def gguf(values=(), infos=(), data=b"\0" * 4, alignment=32, version=3, magic=b"GGUF", tensors=None,
         count=None):
    head = magic + struct.pack("<IQQ", version, len(infos) if tensors is None else tensors,
                               len(values) if count is None else count)
    head += b"".join(values) + b"".join(infos)
    return head + b"\0" * (-len(head) % alignment if alignment else 0) + data


ONE = [info()]
EVERY = [value("u8", U8, number(U8, 200)), value("i8", I8, number(I8, -100)),
         value("u16", U16, number(U16, 60000)), value("i16", I16, number(I16, -30000)),
         value("u32", U32, number(U32, 4000000000)), value("i32", I32, number(I32, -2000000000)),
         value("f32", F32, number(F32, 0.5)), value("bool", BOOL, b"\1"),
         value("string", STRING, text("caf\u00e9")), value("u64", U64, number(U64, ALL_ONES)),
         value("i64", I64, number(I64, -(1 << 63))), value("f64", F64, number(F64, 0.1)),
         value("strings", ARRAY, array(STRING, 3, text("a") + text("") + text(b"\xff"))),
         value("floats", ARRAY, array(F32, 2, number(F32, 1) + number(F32, -2.5))),
         value("ints", ARRAY, array(I32, 2, number(I32, 7) + number(I32, -7))),
         value("bools", ARRAY, array(BOOL, 2, b"\1\0")),
         value("scores", ARRAY, array(U8, 2, b"\1\2")),
         value("none", ARRAY, array(F64, 0, b""))]
GGUF = {
    "good_empty": gguf(data=b""),
    "good_one": gguf(infos=ONE),
    "good_version_2": gguf(infos=ONE, version=2),
    "good_every_value": gguf(values=EVERY, infos=ONE),
    "good_axes": gguf(infos=[info("a", (4, 3, 2, 1)), info("b", (0,), offset=96), info("c", (), offset=96)],
                      data=b"\0" * 100),
    "good_blocks": gguf(infos=[info("a", (64, 2), TENSOR_Q4_0), info("b", (256,), TENSOR_Q4_K, 96)],
                        data=b"\0" * (96 + 144)),
    "good_alignment_64": gguf(values=[value("general.alignment", U32, number(U32, 64))],
                              infos=[info(), info("b", offset=64)], data=b"\0" * 68, alignment=64),
    "good_alignment_1": gguf(values=[value("general.alignment", U32, number(U32, 1))],
                             infos=[info(), info("b", offset=4)], data=b"\0" * 8, alignment=1),
    "good_hole": gguf(infos=[info(), info("b", offset=128)], data=b"\0" * 132),
    "good_name_of_63_bytes": gguf(infos=[info("n" * 63)]),
    "bad_nothing": b"",
    "bad_magic": gguf(magic=b"GGML"),
    "bad_header_only_magic": b"GGUF",
    "bad_version_1": gguf(version=1),
    "bad_version_4": gguf(version=4),
    "bad_big_endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "bad_tensor_count_all_ones": gguf(infos=ONE, tensors=ALL_ONES),
    "bad_tensor_count_wraps_when_multiplied": gguf(infos=ONE, tensors=(1 << 61) + 1),
    "bad_tensor_count_one_too_many": gguf(infos=ONE, tensors=2),
    "bad_value_count_all_ones": gguf(values=EVERY, count=ALL_ONES),
    "bad_value_count_one_too_many": gguf(values=[value("a", U8, b"\0")], count=2, data=b""),
    "bad_key_length_all_ones": gguf(values=[text("k", ALL_ONES) + struct.pack("<I", U8) + b"\0"]),
    "bad_key_empty": gguf(values=[value("", U8, b"\0")]),
    "bad_key_of_65536_bytes": gguf(values=[value("k" * 65536, U8, b"\0")]),
    "bad_key_twice": gguf(values=[value("a", U8, b"\0"), value("a", U8, b"\1")]),
    "bad_value_type": gguf(values=[value("a", 13, b"\0" * 8)]),
    "bad_value_cut": gguf(values=[value("a", U64, b"\0" * 7)], data=b"", alignment=0),
    "bad_boolean": gguf(values=[value("a", BOOL, b"\2")]),
    "bad_string_length_all_ones": gguf(values=[value("a", STRING, text("abc", ALL_ONES))]),
    "bad_string_length_wraps": gguf(values=[value("a", STRING, text("abc", ALL_ONES - 7))]),
    "bad_string_beyond_the_end": gguf(values=[value("a", STRING, text("abc", 1000))]),
    "bad_array_nested": gguf(values=[value("a", ARRAY, array(ARRAY, 1, array(U8, 1, b"\0")))]),
    "bad_array_type": gguf(values=[value("a", ARRAY, array(99, 1, b"\0"))]),
    "bad_array_length_all_ones": gguf(values=[value("a", ARRAY, array(U8, ALL_ONES, b"\0"))]),
    "bad_array_size_wraps": gguf(values=[value("a", ARRAY, array(U64, (1 << 61) + 1, b"\0" * 8))]),
    "bad_array_beyond_the_end": gguf(values=[value("a", ARRAY, array(F32, 100, b"\0" * 8))]),
    "bad_array_of_too_many_strings": gguf(values=[value("a", ARRAY, array(STRING, 1 << 60, text("x")))]),
    "bad_array_string_beyond_the_end": gguf(values=[value("a", ARRAY, array(STRING, 1, text("x", 1 << 62)))]),
    "bad_array_boolean": gguf(values=[value("a", ARRAY, array(BOOL, 2, b"\1\3"))]),
    "bad_alignment_0": gguf(values=[value("general.alignment", U32, number(U32, 0))], infos=ONE),
    "bad_alignment_24": gguf(values=[value("general.alignment", U32, number(U32, 24))], infos=ONE),
    "bad_alignment_2_31": gguf(values=[value("general.alignment", U32, number(U32, 1 << 31))], infos=ONE),
    "bad_alignment_string": gguf(values=[value("general.alignment", STRING, text("32"))], infos=ONE),
    "bad_alignment_u64": gguf(values=[value("general.alignment", U64, number(U64, 32))], infos=ONE),
    "bad_name_of_64_bytes": gguf(infos=[info("n" * 64)]),
    "bad_name_length_all_ones": gguf(infos=[text("a", ALL_ONES) + info()[9:]]),
    "bad_name_twice": gguf(infos=[info(), info(offset=32)], data=b"\0" * 36),
    "bad_five_axes": gguf(infos=[info(shape=(1,) * 5)]),
    "bad_axes_all_ones": gguf(infos=[info(axes=0xFFFFFFFF)]),
    "bad_axis_2_63": gguf(infos=[info(shape=(1 << 63,))]),
    "bad_axis_all_ones": gguf(infos=[info(shape=(ALL_ONES, 2))]),
    "bad_shape_wraps_to_zero": gguf(infos=[info(shape=(1 << 32, 1 << 32))]),
    "bad_shape_wraps_to_one": gguf(infos=[info(shape=((1 << 32) + 1, 0xFFFFFFFF, 1 << 31, 1 << 31))]),
    "bad_shape_bytes_wrap": gguf(infos=[info(shape=(1 << 62,))]),
    "bad_shape_beyond_the_end": gguf(infos=[info(shape=(2,))]),
    "bad_part_of_a_block": gguf(infos=[info(shape=(33,), kind=TENSOR_Q4_0)], data=b"\0" * 64),
    "bad_part_of_a_large_block": gguf(infos=[info(shape=(128,), kind=TENSOR_Q4_K)], data=b"\0" * 144),
    "bad_type_not_read": gguf(infos=[info(shape=(256,), kind=TENSOR_IQ2_XXS)], data=b"\0" * 66),
    "bad_type_removed": gguf(infos=[info(kind=4)]),
    "bad_type_all_ones": gguf(infos=[info(kind=0xFFFFFFFF)]),
    "bad_offset_unaligned": gguf(infos=[info(offset=4)], data=b"\0" * 64),
    "bad_offset_at_the_end": gguf(infos=[info(offset=32)]),
    "bad_offset_all_ones": gguf(infos=[info(offset=ALL_ONES - 31)]),
    "bad_offset_wraps": gguf(infos=[info(offset=(1 << 64) - 64)]),
    "bad_overlap": gguf(infos=[info(shape=(16,)), info("b", offset=32)], data=b"\0" * 64),
    "bad_same_data": gguf(infos=[info(), info("b")]),
    "bad_data_missing": gguf(infos=ONE, data=b"", alignment=0),
    "bad_data_cut": gguf(infos=ONE, data=b"\0" * 3),
}

# Pickles, opcode by opcode (pickletools.py).
def unicode(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def imported(module, name):
    return f"c{module}\n{name}\n".encode()


def storage(kind="FloatStorage", key="0", count=2, word="storage"):
    return (b"(" + unicode(word) + imported("torch", kind) + unicode(key) + unicode("cpu") +
            b"K" + bytes([count]) + b"tQ")


def rebuilt(place=None, offset=b"K\0", shape=b"K\2\x85", strides=b"K\1\x85", grad=b"\x89",
            hooks=b"ccollections\nOrderedDict\n)R", more=b""):
    return (imported("torch._utils", "_rebuild_tensor_v2") + b"(" +
            (storage() if place is None else place) + offset + shape + strides + grad + hooks +
            more + b"tR")


def state(*items):
    return b"\x80\2}(" + b"".join(unicode(name) + made for name, made in items) + b"u."


def archive(pickle, data=b"\0" * 8, method=zipfile.ZIP_STORED, more=(), name="m/data.pkl"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for entry, content in ((name, pickle), ("m/data/0", data), *more):
            file.writestr(zipfile.ZipInfo(entry, (2026, 1, 1, 0, 0, 0)), content, method)
    return out.getvalue()


def patched(content, find, offset, code, value):
    """The bytes with a number written `offset` behind the last `find`."""
    at = content.rindex(find) + offset
    number = struct.pack("<" + code, value)
    return content[:at] + number + content[at + len(number):]


CENTRAL, END = b"PK\1\2", b"PK\5\6"
A = state(("a", rebuilt()))
ARCHIVE = archive(A)
PICKLE = {
    "good_archive": ARCHIVE,
    "good_archive_empty": archive(b"\x80\2}.", b""),
    "good_archive_byteorder": archive(A, more=[("m/byteorder", b"little")]),
    "good_archive_transposed": archive(state(("a", rebuilt(
        storage(count=6), shape=b"K\2K\3\x86", strides=b"K\1K\2\x86"))), b"\0" * 24),
    "good_pickle": A,
    "good_pickle_parameter": state(("a", imported("torch._utils", "_rebuild_parameter") + b"(" +
                                    rebuilt() + b"\x88ccollections\nOrderedDict\n)RtR")),
    "good_pickle_attributes": b"\x80\2ccollections\nOrderedDict\n)R}X\1\0\0\0xNsb.",
    "good_pickle_memo": b"\x80\2}q\0(X\1\0\0\0aq\1" + rebuilt() + b"q\2X\1\0\0\0bh\2u.",
    "bad_nothing": b"",
    "bad_archive_old_format": b"\x80\2\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
    "bad_archive_compressed": archive(A, method=zipfile.ZIP_DEFLATED),
    "bad_archive_without_pickle": archive(A, name="m/other.pkl"),
    "bad_archive_two_pickles": archive(A, more=[("n/data.pkl", A)]),
    "bad_archive_script": archive(A, more=[("m/constants.pkl", b"")]),
    "bad_archive_big_endian": archive(A, more=[("m/byteorder", b"big")]),
    "bad_archive_storage_missing": archive(state(("a", rebuilt(storage(key="1"))))),
    "bad_archive_storage_outside": archive(state(("a", rebuilt(storage(key="../../x"))))),
    "bad_archive_storage_short": archive(A, b"\0" * 7),
    "bad_archive_storage_long": archive(A, b"\0" * 12),
    "bad_archive_negative_offset": archive(state(("a", rebuilt(offset=b"J\xff\xff\xff\xff")))),
    "bad_archive_offset_beyond": archive(state(("a", rebuilt(offset=b"K\1")))),
    "bad_archive_negative_axis": archive(state(("a", rebuilt(shape=b"J\xff\xff\xff\xff\x85")))),
    "bad_archive_axis_overflow": archive(state(("a", rebuilt(
        shape=b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85")))),
    "bad_archive_stride_overflow": archive(state(("a", rebuilt(
        strides=b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85")))),
    "bad_archive_negative_stride": archive(state(("a", rebuilt(strides=b"J\xff\xff\xff\xff\x85")))),
    "bad_archive_expanded": archive(state(("a", rebuilt(
        shape=b"\x8a\x05\0\0\0\0\x7f\x85", strides=b"K\0\x85")))),
    "bad_archive_strides_missing": archive(state(("a", rebuilt(strides=b")")))),
    "bad_archive_no_end": ARCHIVE[:-1],
    "bad_archive_cut": ARCHIVE[:60],
    "bad_archive_directory_offset": patched(ARCHIVE, END, 16, "I", 0xFFFFFFF0),
    "bad_archive_directory_size": patched(ARCHIVE, END, 12, "I", 0xFFFFFFF0),
    "bad_archive_zip64_missing": patched(ARCHIVE, END, 16, "I", 0xFFFFFFFF),
    "bad_archive_entries": patched(patched(ARCHIVE, END, 10, "H", 999), END, 8, "H", 999),
    "bad_archive_entry_size": patched(patched(ARCHIVE, CENTRAL, 20, "I", 1 << 30), CENTRAL, 24, "I", 1 << 30),
    "bad_archive_entry_sizes_differ": patched(ARCHIVE, CENTRAL, 20, "I", 7),
    "bad_archive_entry_offset": patched(ARCHIVE, CENTRAL, 42, "I", 0x7FFFFFFF),
    "bad_archive_entry_of_another_name": patched(ARCHIVE, CENTRAL, 42, "I", 0),
    "bad_archive_entry_encrypted": patched(ARCHIVE, CENTRAL, 8, "H", 1),
    "bad_archive_same_name_twice": archive(A, more=[("m/data/0", b"\0" * 8)]),
    "bad_pickle_long_shape": state(("a", rebuilt(shape=b"(" + b"K\1" * 17 + b"t",
                                                 strides=b"(" + b"K\1" * 17 + b"t"))),
    "bad_pickle_imports_system": b"\x80\2cos\nsystem\nX\2\0\0\0id\x85R.",
    "bad_pickle_imports_eval": b"\x80\2cbuiltins\neval\nX\1\0\0\x001\x85R.",
    "bad_pickle_imports_by_stack": b"\x80\4\x8c\2os\x8c\6system\x93.",
    "bad_pickle_imports_unused": state(("a", rebuilt()), ("b", imported("posix", "system"))),
    "bad_pickle_imports_torch_load": b"\x80\2ctorch\nload\n.",
    "bad_pickle_nested_name": b"\x80\4\x8c\5torch\x8c\x0bload.system\x93.",
    "bad_pickle_inst": b"\x80\2(X\2\0\0\0idios\nsystem\n.",
    "bad_pickle_obj": b"\x80\2(ccollections\nOrderedDict\no.",
    "bad_pickle_newobj": b"\x80\2ccollections\nOrderedDict\n)\x81.",
    "bad_pickle_extension": b"\x80\2\x82\1.",
    "bad_pickle_opcode": b"\x80\2\xff.",
    "bad_pickle_protocol_0": b"(dp0\n.",
    "bad_pickle_protocol_99": b"\x80\x63}.",
    "bad_pickle_build_on_a_tensor": state(("a", rebuilt() + b"}b")),
    "bad_pickle_call_of_a_tensor": state(("a", rebuilt() + b")R")),
    "bad_pickle_storage_of_quantised": state(("a", rebuilt(storage("QInt8Storage")))),
    "bad_pickle_storage_word": state(("a", rebuilt(storage(word="module")))),
    "bad_pickle_hooks": state(("a", rebuilt(hooks=b"}K\1K\2s"))),
    "bad_pickle_metadata": state(("a", rebuilt(more=b"}"))),
    "bad_pickle_not_a_tensor": state(("a", b"K\1")),
    "bad_pickle_nested_dictionary": state(("state_dict", b"}")),
    "bad_pickle_name_not_a_text": b"\x80\2}(K\1" + rebuilt() + b"u.",
    "bad_pickle_name_twice": state(("a", rebuilt()), ("a", rebuilt())),
    "bad_pickle_list": b"\x80\2].",
    "bad_pickle_odd_items": b"\x80\2}(X\1\0\0\0au.",
    "bad_pickle_empty_stack": b"\x80\2.",
    "bad_pickle_reduce_on_nothing": b"\x80\2R.",
    "bad_pickle_pops_below_a_mark": b"\x80\2K\1(\x85.",
    "bad_pickle_no_mark": b"\x80\2}u.",
    "bad_pickle_memo_missing": b"\x80\2h\7.",
    "bad_pickle_memo_of_nothing": b"\x80\2q\0.",
    "bad_pickle_cut": A[:40],
    "bad_pickle_without_stop": A[:-1],
    "bad_pickle_text_beyond": b"\x80\2X\xff\xff\xff\xffab.",
    "bad_pickle_long_of_255_bytes": b"\x80\2\x8a\xff" + b"\0" * 255 + b".",
    "bad_pickle_line_without_end": b"\x80\2c" + b"a" * 100,
    "bad_pickle_self_reference": b"\x80\2}q\0X\1\0\0\0ah\0s.",
    "bad_pickle_deep": b"\x80\2" + b"]" * 3000 + b"a" * 2999 + b".",
}



def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    """A field of a protocol buffer: bytes, an int or a float."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def piece(text, score, type_=1):
    return field(1, field(1, text.encode()) + field(2, score) + field(3, type_))


PIECES = (piece("<unk>", 0.0, 2) + piece("<s>", 0.0, 3) + piece("\u2581a", -1.0) + piece("e", -2.0)
          + piece("\u2581", -3.0) + piece("<t>", 0.0, 4) + piece("un", -4.0, 5))
TRIE = struct.pack("<I", 8) + struct.pack("<II", 0, 0)
SENTENCEPIECE = {
    "good_unigram": PIECES + field(2, field(3, 1)),
    "good_bpe": PIECES + field(2, field(3, 2)) + field(3, field(3, 0) + field(4, 0)),
    "good_map": PIECES + field(3, field(2, TRIE + b"x\0")),
    "good_unknown_fields": PIECES + field(99, b"abc") + field(98, 7) + b"\x81\x06" + b"12345678",
    "bad_nothing": b"",
    "bad_no_unknown": piece("a", 0.0),
    "bad_length": b"\x0a\xff\xff\xff\xff\x0fabc",
    "bad_varint": b"\x0a" + b"\xff" * 11,
    "bad_cut": PIECES[:-3],
    "bad_group": b"\x0b" + PIECES,
    "bad_field_0": b"\x02\x00" + PIECES,
    "bad_wire_type": PIECES + field(1, field(2, b"abcd")),
    "bad_type": piece("<unk>", 0.0, 2) + piece("a", 0.0, 9),
    "bad_score": piece("<unk>", float("nan"), 2),
    "bad_model_type": PIECES + field(2, field(3, 4)),
    "bad_suffix": PIECES + field(2, field(24, 1)),
    "bad_empty_map": PIECES + field(3, field(2, b"\1")),
    "bad_map_beyond": PIECES + field(3, field(2, struct.pack("<I", 1 << 31) + b"abcd")),
    "good_wild_trie": PIECES + field(3, field(2, struct.pack("<I", 8) + b"\xff" * 8)),
}


def tokenizer(model, **parts):
    whole = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
             "post_processor": None, "decoder": None, "model": model}
    whole.update(parts)
    return json.dumps(whole, ensure_ascii=False).encode()


BPE = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
UNIGRAM = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]]}
WORDPIECE = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 9,
             "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "##b": 4}}
PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": False}
SEP = {**PLAIN, "id": 2, "content": "[SEP]", "special": True}
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
        "strip_accents": None, "lowercase": True}


def bert(model=None, added=(), sep=SEP, **parts):
    chosen = {"normalizer": BERT, "pre_tokenizer": {"type": "BertPreTokenizer"},
              "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}}
    chosen.update(parts)
    return tokenizer({**WORDPIECE, **(model or {})}, added_tokens=[sep, *added], **chosen)


def with_id(id_):
    return bert({"vocab": {**WORDPIECE["vocab"], "x": id_}})


TOKENIZER = {
    "good_wordpiece.json": bert(),
    "good_added_token_normalised_away.json": bert(added=[
        {**PLAIN, "id": 5, "content": "\u0301", "normalized": True}]),
    "good_empty_added_token.json": bert(sep={**SEP, "content": ""}),
    "good_empty_piece.json": bert({"continuing_subword_prefix": "",
                                   "vocab": {**WORDPIECE["vocab"], "": 6}}),
    "good_overlapping_strips.json": bert(added=[
        {**PLAIN, "id": 5, "content": " a ", "lstrip": True, "rstrip": True}]),
    "bad_cut.json": bert()[:150],
    "bad_empty_vocabulary.json": bert({"vocab": {}}),
    "bad_huge_id.json": with_id(1 << 62),
    "bad_id_as_text.json": with_id("3"),
    "bad_negative_id.json": with_id(-1),
    "bad_negative_longest_word.json": bert({"max_input_chars_per_word": -1}),
    "bad_pair_of_one.json": bert(post_processor={
        "type": "BertProcessing", "sep": ["[SEP]"], "cls": ["[CLS]", 1]}),
    "bad_template_without_text.json": bert(post_processor={
        "type": "TemplateProcessing", "pair": [], "special_tokens": {},
        "single": [{"Sequence": {"id": "B", "type_id": 0}}]}),
    "good_bpe.json": tokenizer(BPE),
    "good_bpe_legacy_merges.json": tokenizer({**BPE, "merges": ["a b"]}),
    "good_unigram.json": tokenizer(UNIGRAM, pre_tokenizer={
        "type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}),
    "good_word_level.json": tokenizer({"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0}}),
    "good_patterns.json": tokenizer(BPE, pre_tokenizer={"type": "Split", "pattern": {
        "Regex": r"(?i:'s)|\p{L}+(?!\S)|[[:alpha:]\h]++|\b"}, "behavior": "Isolated",
        "invert": False}, normalizer={"type": "Replace", "pattern": {"Regex": "(a*)*b"},
                                      "content": "c"}),
    "bad_backtracking.json": tokenizer(BPE, pre_tokenizer={"type": "Split", "pattern": {
        "Regex": "(x+x+)+y|(.*)*$z"}, "behavior": "Removed", "invert": True}),
    "good_bytes.json": tokenizer(BPE, normalizer={"type": "ByteLevel"}, post_processor={
        "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}),
    "bad_merge_unknown.json": tokenizer({**BPE, "merges": [["a", "c"]]}),
    "bad_merge_of_three.json": tokenizer({**BPE, "merges": ["a b c"]}),
    "bad_merge_makes_nothing.json": tokenizer({**BPE, "merges": [["b", "a"]]}),
    "bad_unk_id.json": tokenizer({**UNIGRAM, "unk_id": 2}),
    "bad_scores.json": tokenizer({**UNIGRAM, "vocab": [["a", "b"]]}),
    "bad_pattern.json": tokenizer(BPE, normalizer={
        "type": "Replace", "pattern": {"Regex": "(a"}, "content": ""}),
    "bad_empty_map.json": tokenizer(BPE, normalizer={
        "type": "Precompiled", "precompiled_charsmap": ""}),
    "bad_map.json": tokenizer(BPE, normalizer={
        "type": "Precompiled", "precompiled_charsmap": "/////w=="}),
    "bad_key.json": tokenizer(BPE, pre_tokenizer={"type": "Whitespace", "mood": "bright"}),
    "bad_deep.json": b"[" * 10000 + b"]" * 10000,
    "bad_brackets.json": tokenizer(BPE, normalizer={"type": "Replace", "content": "", "pattern": {
        "Regex": "[" * 1000 + "a" + "]" * 1000}}),
}


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def trace(change=None, metadata=None, drop=()):
    """A trace of three tokens, two heads that share one key head; `change` replaces tensors."""
    n, text = 3, b"a b c"
    integers = lambda *values: struct.pack(f"<{len(values)}q", *values)
    doubles = lambda *values: struct.pack(f"<{len(values)}d", *values)
    lse = math.log(3)
    tensors = {
        "layers.0.query": ("F32", [2, n, 2], floats(*[0] * 12)),
        "layers.0.key": ("F32", [1, n, 2], floats(*range(6))),
        "layers.0.value": ("F32", [1, n, 2], floats(*range(6))),
        "layers.0.lse": ("F64", [2, n], doubles(*[lse] * 6)),
        "layers.0.overview_sum": ("F32", [2, 1, 1], floats(3, 3)),
        "layers.0.overview_max": ("F32", [2, 1, 1], floats(1 / 3, 1 / 3)),
        "layers.0.heads": ("I64", [2], integers(0, 1)),
        "layers.0.kv_of": ("I64", [2], integers(0, 0)),
        "text": ("U8", [len(text)], text),
        "tokens.id": ("I64", [n], integers(5, 6, 7)),
        "tokens.span": ("I64", [n, 2], integers(0, 1, 2, 3, 4, 5)),
        "tokens.sequence": ("I64", [n], integers(0, 0, 0)),
        "tokens.type": ("I64", [n], integers(0, 0, 0)),
        "tokens.special": ("U8", [n], bytes(n)),
        "tokens.piece": ("U8", [n], b"abc"),
        "tokens.piece_end": ("I64", [n], integers(1, 2, 3)),
        **(change or {}),
    }
    known = {"regard.format": "1", "regard.model": "m", "regard.notes": "[]",
             "regard.block_edge": "64",
             "regard.score.0": '{"scale": 1, "cap": 0, "causal": false, "window": 0}',
             **(metadata or {})}
    header = {"__metadata__": {key: known[key] for key in known if key not in drop}}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        if name in drop:
            continue
        data += bytes(-len(data) % 8)
        header[name] = tensor(dtype, shape, (len(data), len(data) + len(content)))
        data += content
    # Alignment without holes: each gap is a tensor of its own.
    ends = sorted(entry["data_offsets"] for name, entry in header.items() if name != "__metadata__")
    for i, ((_, end), (begin, _)) in enumerate(zip(ends, ends[1:])):
        if begin > end:
            header[f"padding.{i}"] = tensor("U8", [begin - end], (end, begin))
    text = json.dumps(header).encode()
    return pack(text + b" " * (-len(text) % 8), data)


def one(name, dtype, shape, content):
    return {name: (dtype, shape, content)}


def cross(change=None, metadata=None, drop=()):
    """A trace of cross-attention: three tokens attend to two of another text."""
    text = "é x".encode()
    integers = lambda *values: struct.pack(f"<{len(values)}q", *values)
    return trace({
        "layers.0.key": ("F32", [1, 2, 2], floats(*range(4))),
        "layers.0.value": ("F32", [1, 2, 2], floats(*range(4))),
        "layers.0.lse": ("F64", [2, 3], struct.pack("<6d", *[math.log(2)] * 6)),
        "layers.0.overview_max": ("F32", [2, 1, 1], floats(1 / 2, 1 / 2)),
        "keys.text": ("U8", [len(text)], text),
        "keys.tokens.id": ("I64", [2], integers(8, 9)),
        "keys.tokens.span": ("I64", [2, 2], integers(0, 2, 3, 4)),
        "keys.tokens.sequence": ("I64", [2], integers(0, 0)),
        "keys.tokens.type": ("I64", [2], integers(0, 0)),
        "keys.tokens.special": ("U8", [2], bytes(2)),
        "keys.tokens.piece": ("U8", [3], text[:2] + b"x"),
        "keys.tokens.piece_end": ("I64", [2], integers(2, 3)),
        **(change or {}),
    }, {"regard.format": "2", "regard.kind": "cross", **(metadata or {})}, drop)


NAN = struct.pack("<d", math.nan)
LSE = struct.pack("<6d", *[math.log(3)] * 6)
TRACES = {
    "good_small": trace(),
    "good_terms": trace({
        **one("layers.0.alibi_slopes", "F32", [2], floats(0.5, 0.25)),
        **one("layers.0.sinks", "F32", [2], floats(9, 9)),
        **one("layers.0.bias", "F32", [2, 3], floats(*[0] * 6)),
        **one("layers.0.query_relative", "F32", [2, 3, 2], floats(*[0] * 12)),
        **one("layers.0.relative_slot", "I32", [3], struct.pack("<3i", 0, 1, 1)),
        **one("layers.0.blocks", "U8", [1, 1], b"\1"),
        **one("layers.0.lse", "F64", [2, 3], struct.pack("<6d", *[20] * 6))}),
    "good_weights": trace(one("layers.1.weights", "F32", [1, 3, 3], floats(*[0.25] * 9))
                          | one("layers.1.heads", "I64", [1], struct.pack("<q", 0))),
    "good_kind": trace(metadata={"regard.kind": "decoder"}),
    "good_cross": cross(),
    "bad_kind": trace(metadata={"regard.kind": "sideways"}),
    "bad_cross_without_keys": trace(metadata={"regard.format": "2", "regard.kind": "cross"}),
    "bad_cross_of_format_1": cross(metadata={"regard.format": "1"}),
    "bad_keys_of_self": cross(metadata={"regard.format": "1", "regard.kind": "self"}),
    "bad_cross_square": cross(one("layers.0.key", "F32", [1, 3, 2], floats(*range(6)))),
    "bad_cross_lse_of_keys": cross(one("layers.0.lse", "F64", [2, 2], LSE[:32])),
    "bad_cross_span": cross(one("keys.tokens.span", "I64", [2, 2], struct.pack("<4q", 0, 2, 3, 5))),
    "bad_cross_sequence": cross(one("keys.tokens.sequence", "I64", [2], struct.pack("<2q", 0, 1))),
    "bad_cross_piece_end": cross(one("keys.tokens.piece_end", "I64", [2], struct.pack("<2q", 2, 4))),
    "bad_cross_valid_of_rows": cross(one("keys.valid", "U8", [3], bytes(3))),
    **{"bad_cross_no_" + name.replace(".", "_"): cross(drop=[f"keys.{name}"])
       for name in ("text", "tokens.id", "tokens.span", "tokens.sequence", "tokens.type",
                    "tokens.special", "tokens.piece", "tokens.piece_end")},
    "bad_cross_no_columns": cross({name: (dtype, shape, b"") for name, dtype, shape in (
        ("keys.tokens.id", "I64", [0]), ("keys.tokens.span", "I64", [0, 2]),
        ("keys.tokens.sequence", "I64", [0]), ("keys.tokens.type", "I64", [0]),
        ("keys.tokens.special", "U8", [0]), ("keys.tokens.piece", "U8", [0]),
        ("keys.tokens.piece_end", "I64", [0]), ("layers.0.key", "F32", [1, 0, 2]),
        ("layers.0.value", "F32", [1, 0, 2]), ("layers.0.overview_sum", "F32", [2, 1, 0]),
        ("layers.0.overview_max", "F32", [2, 1, 0]))}),
    "bad_shape_of_lse": trace(one("layers.0.lse", "F64", [3, 2], LSE)),
    "bad_shape_of_key": trace(one("layers.0.key", "F32", [1, 2, 3], floats(*range(6)))),
    "bad_shape_of_query": trace(one("layers.0.query", "F32", [12], floats(*[0] * 12))),
    "bad_no_dimension": trace(one("layers.0.query", "F32", [2, 3, 0], b"")),
    "bad_type_of_query": trace(one("layers.0.query", "F64", [1, 3, 2], LSE)),
    "bad_nan_lse": trace(one("layers.0.lse", "F64", [2, 3], NAN * 6)),
    "bad_small_lse": trace(one("layers.0.lse", "F64", [2, 3], struct.pack("<6d", *[-700] * 6))),
    "bad_nan_key": trace(one("layers.0.key", "F32", [1, 3, 2], floats(*[math.nan] * 6))),
    "bad_nan_overview": trace(one("layers.0.overview_sum", "F32", [2, 1, 1], floats(*[math.nan] * 2))),
    "bad_kv_of": trace(one("layers.0.kv_of", "I64", [2], struct.pack("<2q", 0, 1))),
    "bad_negative_kv_of": trace(one("layers.0.kv_of", "I64", [2], struct.pack("<2q", -1, 0))),
    "bad_heads_repeated": trace(one("layers.0.heads", "I64", [2], struct.pack("<2q", 1, 1))),
    "bad_heads_huge": trace(one("layers.0.heads", "I64", [2], struct.pack("<2q", 0, 1 << 40))),
    "bad_span_outside": trace(one("tokens.span", "I64", [3, 2], struct.pack("<6q", 0, 1, 2, 3, 4, 99))),
    "bad_span_reversed": trace(one("tokens.span", "I64", [3, 2], struct.pack("<6q", 1, 0, 2, 3, 4, 5))),
    "bad_sequence": trace(one("tokens.sequence", "I64", [3], struct.pack("<3q", 0, 1, 0))),
    "bad_piece_end": trace(one("tokens.piece_end", "I64", [3], struct.pack("<3q", 1, 2, 1 << 62))),
    "bad_slot": trace(one("layers.0.key_relative", "F32", [2, 3, 2], floats(*[0] * 12))
                      | one("layers.0.relative_slot", "I32", [3], struct.pack("<3i", 0, 2, 0))),
    "bad_slot_alone": trace(one("layers.0.relative_slot", "I32", [3], struct.pack("<3i", 0, 0, 0))),
    "bad_bias_even": trace(one("layers.0.bias", "F32", [2, 2], floats(*[0] * 4))),
    "bad_blocks": trace(one("layers.0.blocks", "U8", [2, 2], bytes(4))),
    "bad_unknown_array": trace(one("layers.0.twist", "F32", [2], floats(0, 0))),
    "bad_layer_name": trace(one("layers.x.query", "F32", [1], floats(0))),
    "bad_layer_number": trace(one("layers.99999999999.query", "F32", [1], floats(0))),
    "bad_newer_format": trace(metadata={"regard.format": "2"}),
    "bad_format": trace(metadata={"regard.format": "one"}),
    "bad_score_unknown": trace(metadata={"regard.score.0": '{"scale": 1, "twist": 2}'}),
    "bad_score_scale": trace(metadata={"regard.score.0": '{"scale": 1e999}'}),
    "bad_score_window": trace(metadata={"regard.score.0": '{"scale": 1, "window": -5}'}),
    "bad_alibi_without_slopes": trace(metadata={"regard.score.0": '{"scale": 1, "alibi": "distance"}'}),
    "bad_edge": trace(metadata={"regard.block_edge": "0"}),
    "bad_edge_small": trace(metadata={"regard.block_edge": "1"}),
    "bad_notes": trace(metadata={"regard.notes": "{"}),
    "good_generated": trace(metadata={"regard.generated": "1"}),
    "bad_generated": trace(metadata={"regard.generated": "1000"}),
    **{"bad_no_" + name.replace("layers.0.", "").replace(".", "_"): trace(drop=[name])
       for name in ("layers.0.query", "layers.0.key", "layers.0.lse", "layers.0.heads",
                    "layers.0.kv_of", "layers.0.overview_max", "text", "tokens.id", "tokens.span",
                    "tokens.special", "tokens.piece", "regard.format", "regard.model",
                    "regard.score.0", "regard.block_edge")},
    "bad_no_tokens": trace({name: (dtype, shape, b"") for name, dtype, shape in (
        ("tokens.id", "I64", [0]), ("tokens.span", "I64", [0, 2]), ("tokens.sequence", "I64", [0]),
        ("tokens.type", "I64", [0]), ("tokens.special", "U8", [0]), ("tokens.piece", "U8", [0]),
        ("tokens.piece_end", "I64", [0]), ("layers.0.query", "F32", [2, 0, 2]),
        ("layers.0.key", "F32", [1, 0, 2]), ("layers.0.value", "F32", [1, 0, 2]),
        ("layers.0.lse", "F64", [2, 0]), ("layers.0.overview_sum", "F32", [2, 0, 0]),
        ("layers.0.overview_max", "F32", [2, 0, 0]))}),
}

HOST = b"Host: localhost\r\n"
HTTP = {
    "good_get": b"GET /api/traces/1?head=L3H1&rows=0:4&text=a+b%20c HTTP/1.1\r\n" + HOST,
    "good_post": b"POST /api/runs HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n",
    "good_old": b"DELETE /api/runs/1#x HTTP/1.0\r\nConnection: keep-alive\r\nA: 1\r\na: 2\r\n",
    "bad_empty": b"", "bad_percent": b"GET /%4 HTTP/1.1", "bad_zero": b"GET /?a=%00 HTTP/1.1",
    "bad_twice": b"GET /?a=1&a=2 HTTP/1.1", "bad_colon": b"GET / HTTP/1.1\r\nHost",
    "bad_line": b"GET / HTTP/1.1\nHost: x", "bad_length": b"POST / HTTP/1.1\r\nContent-Length: +1",
    "bad_lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1",
    "bad_chunked": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked",
    "bad_version": b"GET / HTTP/9.9", "bad_method": b"G\xffT / HTTP/1.1",
    "bad_target": b"GET * HTTP/1.1", "bad_many": b"GET / HTTP/1.1" + b"\r\na: b" * 101,
}
HTTP = {name: content.removesuffix(b"\r\n") for name, content in HTTP.items()}

if __name__ == "__main__":
    for corpus, files in (("safetensors", SAFETENSORS), ("gguf", GGUF), ("pickle", PICKLE),
                          ("sentencepiece", SENTENCEPIECE), ("tokenizer", TOKENIZER),
                          ("trace", TRACES), ("http", HTTP)):
        (FOLDER / corpus).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (FOLDER / corpus / name).write_bytes(content)
