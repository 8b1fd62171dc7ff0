// SPDX-License-Identifier: Apache-2.0
// `regard`: reads the command line, runs one verb, turns errors into one line and an exit status
// (0 done, 1 failed, 2 wrong use).
#include <csignal>
#include <new>

#include <fmt/format.h>

#include "apps/cli/command.h"
#include "regard/platform/error.h"

namespace regard::cli {
namespace {

int fail(std::string_view message, int status) {
  say("regard: " + printable(message));
  return status;
}

// The verb on the command line, the deepest one.
const CLI::App* chosen_verb(const CLI::App& app) {
  const CLI::App* verb = &app;
  while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
  return verb;
}

std::string name_with_parents(const CLI::App* verb) {
  const CLI::App* parent = verb->get_parent();
  return parent == nullptr ? "regard" : name_with_parents(parent) + " " + verb->get_name();
}

std::string unknown_verb(const std::string& word) {
  if (word.find(' ') == std::string::npos) return "unknown verb " + word;
  return fmt::format("expected a verb before the text, as in regard show \"{}\"", word);
}

// What CLI11 found wrong, in the words of the other errors: expected, found.
std::string complaint(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* verb = chosen_verb(app);
  const std::vector<std::string> extra = app.remaining(true);
  const std::string first = extra.empty() ? "" : extra.front();
  const std::vector<const CLI::App*> verbs =
      verb->get_subcommands([](const CLI::App*) { return true; });
  const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  if (!verbs.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !unknown) {
    if (!first.empty() && first.front() != '-') return unknown_verb(first);
    std::string names;
    for (const CLI::App* one : verbs) names += (names.empty() ? "" : " or ") + one->get_name();
    return "expected a verb, " + names;
  }
  if (unknown) {
    const bool option = first.size() > 1 && first.front() == '-';
    if (option) return "unknown option " + first;
    if (!verbs.empty()) return unknown_verb(first);
    return "unexpected argument " + first +
           (verb->get_option_no_throw("TEXT") != nullptr
                ? ": a text of several words stands in quotes"
                : "");
  }
  // Every option that CLI11 converts is a number.
  constexpr std::string_view kConversion = "Could not convert: ";
  const std::string message = error.what();
  const std::size_t equals = message.find(" = ");
  if (message.starts_with(kConversion) && equals != std::string::npos)
    return fmt::format("{}: expected a number, found \"{}\"",
                       message.substr(kConversion.size(), equals - kConversion.size()),
                       message.substr(equals + 3));
  return message;
}

int wrong_use(const CLI::App& app, const CLI::ParseError& error) {
  return fail(complaint(app, error) + "; see " + name_with_parents(chosen_verb(app)) + " --help",
              2);
}

// An empty value, as of a script's unset variable, is not the default. An empty TEXT, --pair or
// --word is answered by what reads it.
void refuse_empty_values(const CLI::App& verb) {
  for (const CLI::Option* option : verb.get_options()) {
    const std::string name = option->get_name();
    if (name == "TEXT" || name == "--pair" || name == "--word") continue;
    for (const std::string& value : option->results())
      if (value.empty())
        throw Error(name + ": expected a value, found an empty one", Error::Kind::kUsage);
  }
}

void print(std::string_view text) {
  write_output("", Format::kText, [&](const Sink& sink) { sink(text); });
}

int run_program(int count, char** arguments) {
  Context context;
  context.settings = Settings::from_environment();

  CLI::App app("An attention microscope: see exactly what every word attends to.", "regard");
  bool version = false;
  app.add_flag("--version", version, "Version, commit, instruction set and libraries");
  app.set_help_flag("-h,--help", "Help; also after a verb");
  app.require_subcommand(0, 1);
  app.footer(
      "Example:\n  regard show \"The animal didn't cross the street because it was too "
      "tired.\"");
  add_show(app, context);
  add_explain(app, context);
  add_record(app, context);
  add_tile(app, context);
  add_tokenize(app, context);
  add_generate(app, context);
  add_heads(app, context);
  add_lesson(app, context);
  add_compare(app, context);
  add_serve(app, context);
  add_models(app, context);
  add_train(app, context);
  add_bench(app, context);

  try {
    app.parse(count, arguments);
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    return wrong_use(app, error);
  }
  refuse_empty_values(*chosen_verb(app));
  if (version) {
    if (!context.settings.instruction_set.empty()) context.session();
    print(version_report());
    return 0;
  }
  if (!context.run) return fail("expected a verb; see regard --help", 2);
  context.timing.mark("command line");
  context.run();
  if (context.print_timing) say(context.timing.report());
  return 0;
}

}  // namespace
}  // namespace regard::cli

int main(int count, char** arguments) {
  // A closed pipe and a file beyond the user's limit are then errors of write().
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  using regard::Error;
  using regard::cli::fail;
  try {
    return regard::cli::run_program(count, arguments);
  } catch (const Error& error) {
    return fail(error.what(), error.kind() == Error::Kind::kUsage ? 2 : 1);
  } catch (const std::bad_alloc&) {
    return fail("out of memory", 1);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}
