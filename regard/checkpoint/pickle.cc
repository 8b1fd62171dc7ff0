// SPDX-License-Identifier: Apache-2.0
// A pickle machine that builds descriptions of tensors and nothing else. Sources: Python's
// pickletools.py; torch/_utils.py.
#include "regard/checkpoint/pickle.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>
#include <set>

#include "regard/checkpoint/byte_reader.h"
#include "regard/platform/error.h"

namespace regard {
namespace {

constexpr std::uint64_t kLargestPickle = std::uint64_t{64} << 20;
constexpr std::size_t kMostValues = std::size_t{1} << 23;

enum class Kind : std::uint8_t {
  kNone,
  kBoolean,
  kInteger,
  kFloat,
  kText,
  kTuple,
  kList,
  kDictionary,
  kStorageType,
  kStorage,
  kTensor,
  kMakeDictionary,
  kMakeTensor,
  kMakeParameter,
};
constexpr std::array<std::string_view, 14> kKindNames = {"None",
                                                         "a boolean",
                                                         "an integer",
                                                         "a number",
                                                         "a text",
                                                         "a tuple",
                                                         "a list",
                                                         "a dictionary",
                                                         "a type of storage",
                                                         "a storage",
                                                         "a tensor",
                                                         "the function OrderedDict",
                                                         "the function _rebuild_tensor_v2",
                                                         "the function _rebuild_parameter"};

constexpr std::size_t kMostAxes = 16;

struct Global {
  std::string_view module, name;
  Kind kind;
  DType dtype = DType::kF32;  // of a storage
};
constexpr Global kGlobals[] = {
    {"collections", "OrderedDict", Kind::kMakeDictionary},
    {"torch._utils", "_rebuild_tensor_v2", Kind::kMakeTensor},
    {"torch._utils", "_rebuild_parameter", Kind::kMakeParameter},
    {"torch", "DoubleStorage", Kind::kStorageType, DType::kF64},
    {"torch", "FloatStorage", Kind::kStorageType, DType::kF32},
    {"torch", "HalfStorage", Kind::kStorageType, DType::kF16},
    {"torch", "BFloat16Storage", Kind::kStorageType, DType::kBF16},
    {"torch", "LongStorage", Kind::kStorageType, DType::kI64},
    {"torch", "IntStorage", Kind::kStorageType, DType::kI32},
    {"torch", "ShortStorage", Kind::kStorageType, DType::kI16},
    {"torch", "CharStorage", Kind::kStorageType, DType::kI8},
    {"torch", "ByteStorage", Kind::kStorageType, DType::kU8},
    {"torch", "BoolStorage", Kind::kStorageType, DType::kBool},
};

// Opcodes that are refused, for the message.
struct Refused {
  std::uint8_t code;
  std::string_view name;
};
constexpr Refused kRefused[] = {{'i', "INST"},
                                {'o', "OBJ"},
                                {0x81, "NEWOBJ"},
                                {0x92, "NEWOBJ_EX"},
                                {0x82, "EXT1"},
                                {0x83, "EXT2"},
                                {0x84, "EXT4"},
                                {'P', "PERSID"},
                                {'0', "POP"},
                                {'1', "POP_MARK"},
                                {'2', "DUP"},
                                {'S', "STRING"},
                                {'T', "BINSTRING"},
                                {'U', "SHORT_BINSTRING"},
                                {'I', "INT"},
                                {'L', "LONG"},
                                {'F', "FLOAT"},
                                {'V', "UNICODE"},
                                {0x8b, "LONG4"},
                                {0x8d, "BINUNICODE8"},
                                {'B', "BINBYTES"},
                                {'C', "SHORT_BINBYTES"},
                                {0x8e, "BINBYTES8"},
                                {0x8f, "EMPTY_SET"},
                                {0x90, "ADDITEMS"},
                                {0x91, "FROZENSET"},
                                {0x96, "BYTEARRAY8"},
                                {0x97, "NEXT_BUFFER"},
                                {0x98, "READONLY_BUFFER"}};

using Value = std::uint32_t;  // an index of the machine's nodes

struct Node {
  Kind kind = Kind::kNone;
  DType dtype = DType::kF32;  // of kStorageType
  std::int64_t integer = 0;   // of kInteger
  std::string_view text;      // of kText
  std::vector<Value> items;   // of kTuple, kList; of kDictionary key, value, key, ..; of kStorage
                              // type, key, elements; of kTensor storage, offset, shape, strides
};

class Machine {
 public:
  Machine(std::span<const std::byte> pickle, std::string_view file) : reader_(pickle, file) {
    nodes_.emplace_back();  // None
  }

  std::vector<PickledTensor> run() {
    while (step()) {
    }
    return tensors_of(pop(Kind::kDictionary, "a dictionary of tensors"));
  }

 private:
  Error wrong(std::string_view expected, std::string_view found) const {
    return reader_.wrong(where_, expected, found);
  }
  Node& node(Value value) { return nodes_[value]; }
  std::string_view kind_name(Value value) {
    return kKindNames[static_cast<std::size_t>(node(value).kind)];
  }

  void push(Value value) { stack_.push_back(value); }
  void push_new(Node made) {
    if (nodes_.size() == kMostValues)
      throw wrong(fmt::format("at most {} values", kMostValues), "more");
    nodes_.push_back(std::move(made));
    push(static_cast<Value>(nodes_.size() - 1));
  }
  void push_integer(std::int64_t integer) {
    Node made;
    made.kind = Kind::kInteger;
    made.integer = integer;
    push_new(std::move(made));
  }
  void push_text(std::string_view text) {
    Node made;
    made.kind = Kind::kText;
    made.text = text;
    push_new(std::move(made));
  }
  void push_kind(Kind kind, std::vector<Value> items = {}) {
    Node made;
    made.kind = kind;
    made.items = std::move(items);
    push_new(std::move(made));
  }

  // Values above the last mark may be popped, none below it.
  Value pop() {
    if (stack_.size() == (marks_.empty() ? 0 : marks_.back()))
      throw wrong("a value on the stack", "none");
    const Value value = stack_.back();
    stack_.pop_back();
    return value;
  }
  Value pop(Kind kind, std::string_view what) {
    const Value value = pop();
    if (node(value).kind != kind) throw wrong(what, kind_name(value));
    return value;
  }
  std::vector<Value> pop_many(std::size_t count) {
    std::vector<Value> values(count);
    for (std::size_t i = count; i-- > 0;) values[i] = pop();
    return values;
  }
  std::vector<Value> pop_mark() {
    if (marks_.empty()) throw wrong("a mark on the stack", "none");
    std::vector<Value> values(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()),
                              stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return values;
  }

  void memoize(std::uint32_t index) {
    if (stack_.empty()) throw wrong("a value to remember", "none");
    memo_[index] = stack_.back();
  }
  void recall(std::uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) throw wrong("a value remembered", fmt::format("none of {}", index));
    push(found->second);
  }

  // The items of a tuple of that many.
  const std::vector<Value>& tuple(Value value, std::size_t least, std::size_t most,
                                  std::string_view what) {
    const Node& found = node(value);
    if (found.kind != Kind::kTuple || found.items.size() < least || found.items.size() > most)
      throw wrong(what, found.kind == Kind::kTuple ? fmt::format("{} of them", found.items.size())
                                                   : std::string(kind_name(value)));
    return found.items;
  }
  void expect(Value value, Kind kind, std::string_view what) {
    if (node(value).kind != kind) throw wrong(what, kind_name(value));
  }

  void push_global(std::string_view module, std::string_view name) {
    for (const Global& global : kGlobals)
      if (global.module == module && global.name == name) {
        Node made;
        made.kind = global.kind;
        made.dtype = global.dtype;
        return push_new(std::move(made));
      }
    throw wrong(
        "only collections.OrderedDict, torch._utils._rebuild_tensor_v2, _rebuild_parameter and "
        "storages of plain types to be imported",
        fmt::format("{}.{}", module, name));
  }

  std::string_view line() {
    const std::uint64_t begin = reader_.position();
    std::uint64_t length = 0;
    ByteReader ahead = reader_;
    while (ahead.number<char>("a line") != '\n') ++length;
    const std::string_view text = reader_.text(length, "a line");
    reader_.take(1, "a line");
    if (length > 1000)
      throw reader_.wrong(begin, "a line of at most 1000 bytes", fmt::format("{}", length));
    return text;
  }

  std::int64_t read_long(std::uint64_t length) {
    if (length > 8) throw wrong("an integer of at most 8 bytes", fmt::format("{}", length));
    std::uint64_t value = 0;
    const std::span<const std::byte> bytes = reader_.take(length, "an integer");
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    if (length > 0 && length < 8 && (std::to_integer<unsigned>(bytes.back()) & 0x80) != 0)
      value |= ~std::uint64_t{0} << (8 * length);
    return static_cast<std::int64_t>(value);
  }

  // A reference ("storage", type, key, location, elements) to bytes elsewhere in the archive.
  void load_storage() {
    const std::vector<Value> parts = tuple(pop(), 5, 5, "a storage's five parts");
    expect(parts[0], Kind::kText, "the word storage");
    if (node(parts[0]).text != "storage") throw wrong("the word storage", node(parts[0]).text);
    expect(parts[1], Kind::kStorageType, "a type of storage");
    expect(parts[2], Kind::kText, "a storage's key");
    expect(parts[3], Kind::kText, "a storage's device");
    expect(parts[4], Kind::kInteger, "a storage's number of elements");
    push_kind(Kind::kStorage, {parts[1], parts[2], parts[4]});
  }

  void call() {
    const Value arguments = pop(Kind::kTuple, "a tuple of arguments");
    const Value function = pop();
    switch (node(function).kind) {
      case Kind::kMakeDictionary:
        tuple(arguments, 0, 0, "an OrderedDict without arguments");
        return push_kind(Kind::kDictionary);
      case Kind::kMakeTensor: {
        const std::vector<Value> parts = tuple(arguments, 6, 7, "a tensor's six or seven parts");
        expect(parts[0], Kind::kStorage, "a tensor's storage");
        expect(parts[1], Kind::kInteger, "a tensor's offset");
        // Every name copies them.
        tuple(parts[2], 0, kMostAxes, "a tensor's shape of at most 16 axes");
        tuple(parts[3], 0, kMostAxes, "a tensor's strides, at most 16");
        expect(parts[4], Kind::kBoolean, "a tensor's requires_grad");
        expect(parts[5], Kind::kDictionary, "a tensor's hooks");
        if (!node(parts[5]).items.empty()) throw wrong("no backward hooks", "some");
        if (parts.size() == 7) expect(parts[6], Kind::kNone, "no metadata of a tensor");
        return push_kind(Kind::kTensor, {parts[0], parts[1], parts[2], parts[3]});
      }
      case Kind::kMakeParameter: {
        const std::vector<Value> parts = tuple(arguments, 3, 3, "a parameter's three parts");
        expect(parts[0], Kind::kTensor, "a parameter's tensor");
        return push(parts[0]);
      }
      default:
        throw wrong("a function to call", kind_name(function));
    }
  }

  void append(const std::vector<Value>& items, Kind kind, std::string_view what) {
    if (stack_.empty()) throw wrong(what, "nothing");
    const Value into = stack_.back();
    expect(into, kind, what);
    if (kind == Kind::kDictionary && items.size() % 2 != 0)
      throw wrong("a value for each key", "a key without");
    std::vector<Value>& all = node(into).items;
    all.insert(all.end(), items.begin(), items.end());
  }

  bool step();
  [[noreturn]] void refuse(std::uint8_t code) const {
    for (const Refused& refused : kRefused)
      if (refused.code == code)
        throw wrong("an opcode that can only build tensors",
                    fmt::format("{} ({:#04x})", refused.name, code));
    throw wrong("an opcode that can only build tensors", fmt::format("{:#04x}", code));
  }

  Shape integers(Value value) {
    Shape numbers;
    for (const Value item : node(value).items) {
      expect(item, Kind::kInteger, "an integer");
      numbers.push_back(node(item).integer);
    }
    return numbers;
  }

  std::vector<PickledTensor> tensors_of(Value dictionary) {
    std::vector<PickledTensor> tensors;
    std::set<std::string_view> names;
    const std::vector<Value>& items = node(dictionary).items;
    for (std::size_t i = 0; i < items.size(); i += 2) {
      expect(items[i], Kind::kText, "a tensor's name");
      PickledTensor tensor;
      tensor.name = node(items[i]).text;
      if (!names.insert(node(items[i]).text).second)
        throw wrong("each name once", fmt::format("{} twice", tensor.name));
      if (node(items[i + 1]).kind != Kind::kTensor)
        throw wrong(fmt::format("a tensor as {}", tensor.name), kind_name(items[i + 1]));
      const std::vector<Value>& parts = node(items[i + 1]).items;
      const std::vector<Value>& storage = node(parts[0]).items;
      tensor.dtype = node(storage[0]).dtype;
      tensor.storage = node(storage[1]).text;
      tensor.storage_elements = node(storage[2]).integer;
      tensor.offset = node(parts[1]).integer;
      tensor.shape = integers(parts[2]);
      tensor.strides = integers(parts[3]);
      tensors.push_back(std::move(tensor));
    }
    return tensors;
  }

  ByteReader reader_;
  std::uint64_t where_ = 0;  // of the opcode
  std::vector<Node> nodes_;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint32_t, Value> memo_;
};

// One opcode. False at the end.
bool Machine::step() {
  where_ = reader_.position();
  const auto code = reader_.number<std::uint8_t>("an opcode");
  switch (code) {
    case 0x80: {  // PROTO
      const int protocol = reader_.number<std::uint8_t>("a protocol");
      if (protocol < 2 || protocol > 5)
        throw wrong("protocol 2 to 5", fmt::format("protocol {}", protocol));
      return true;
    }
    case 0x95:  // FRAME
      reader_.take(8, "a frame's length");
      return true;
    case '.':  // STOP
      return false;
    case '(':  // MARK
      marks_.push_back(stack_.size());
      return true;
    case 'N':  // NONE
      push(0);
      return true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push_kind(Kind::kBoolean);
      return true;
    case 'J':  // BININT
      push_integer(reader_.number<std::int32_t>("an integer"));
      return true;
    case 'K':  // BININT1
      push_integer(reader_.number<std::uint8_t>("an integer"));
      return true;
    case 'M':  // BININT2
      push_integer(reader_.number<std::uint16_t>("an integer"));
      return true;
    case 0x8a:  // LONG1
      push_integer(read_long(reader_.number<std::uint8_t>("an integer's length")));
      return true;
    case 'G':  // BINFLOAT
      reader_.take(8, "a number");
      push_kind(Kind::kFloat);
      return true;
    case 'X':  // BINUNICODE
      push_text(reader_.text(reader_.number<std::uint32_t>("a text's length"), "a text"));
      return true;
    case 0x8c:  // SHORT_BINUNICODE
      push_text(reader_.text(reader_.number<std::uint8_t>("a text's length"), "a text"));
      return true;
    case ')':  // EMPTY_TUPLE
      push_kind(Kind::kTuple);
      return true;
    case ']':  // EMPTY_LIST
      push_kind(Kind::kList);
      return true;
    case '}':  // EMPTY_DICT
      push_kind(Kind::kDictionary);
      return true;
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      push_kind(Kind::kTuple, pop_many(code - 0x84u));
      return true;
    case 't':  // TUPLE
      push_kind(Kind::kTuple, pop_mark());
      return true;
    case 'a':  // APPEND
      append(pop_many(1), Kind::kList, "a list to append to");
      return true;
    case 'e':  // APPENDS
      append(pop_mark(), Kind::kList, "a list to append to");
      return true;
    case 's':  // SETITEM
      append(pop_many(2), Kind::kDictionary, "a dictionary to fill");
      return true;
    case 'u':  // SETITEMS
      append(pop_mark(), Kind::kDictionary, "a dictionary to fill");
      return true;
    case 'q':  // BINPUT
      memoize(reader_.number<std::uint8_t>("an index"));
      return true;
    case 'r':  // LONG_BINPUT
      memoize(reader_.number<std::uint32_t>("an index"));
      return true;
    case 0x94:  // MEMOIZE
      memoize(static_cast<std::uint32_t>(memo_.size()));
      return true;
    case 'h':  // BINGET
      recall(reader_.number<std::uint8_t>("an index"));
      return true;
    case 'j':  // LONG_BINGET
      recall(reader_.number<std::uint32_t>("an index"));
      return true;
    case 'c': {  // GLOBAL
      const std::string_view module = line();
      push_global(module, line());
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const Value name = pop(Kind::kText, "a global's name");
      const Value module = pop(Kind::kText, "a global's module");
      push_global(node(module).text, node(name).text);
      return true;
    }
    case 'Q':  // BINPERSID
      load_storage();
      return true;
    case 'R':  // REDUCE
      call();
      return true;
    case 'b': {  // BUILD: the attributes that a state dictionary carries say nothing of tensors.
      pop();
      if (stack_.empty()) throw wrong("a dictionary to give attributes", "nothing");
      expect(stack_.back(), Kind::kDictionary, "a dictionary to give attributes");
      return true;
    }
    default:
      refuse(code);
  }
}

}  // namespace

std::vector<PickledTensor> read_pickled_tensors(std::span<const std::byte> pickle,
                                                std::string_view file) {
  if (pickle.size() > kLargestPickle)
    throw Error::at(file, "size", fmt::format("at most {} bytes of pickle", kLargestPickle),
                    fmt::format("{}", pickle.size()));
  return Machine(pickle, file).run();
}

}  // namespace regard
