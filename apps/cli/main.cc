// SPDX-License-Identifier: Apache-2.0
// `regard`: reads the command line, runs one verb, turns errors into one line and an exit status
// (0 done, 1 failed, 2 wrong use).
#include <csignal>
#include <new>

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

int wrong_use(const CLI::App& app, const CLI::ParseError& error) {
  const std::string verb = name_with_parents(chosen_verb(app));
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const std::vector<std::string> extra = app.remaining(true);
    const std::string first = extra.empty() ? "" : extra.front();
    const bool option = first.size() > 1 && first.front() == '-';
    const bool unknown_verb = verb == "regard" && !option;
    message = (option         ? "unknown option "
               : unknown_verb ? "unknown verb "
                              : "unexpected argument ") +
              first;
  }
  return fail(message + "; see " + verb + " --help", 2);
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
  add_models(app, context);

  try {
    app.parse(count, arguments);
  } catch (const CLI::CallForHelp&) {
    const CLI::App* verb = chosen_verb(app);
    print(verb->help(verb == &app ? "" : name_with_parents(verb)));
    return 0;
  } catch (const CLI::ParseError& error) {
    return wrong_use(app, error);
  }
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
  // A closed pipe is then an error of write().
  std::signal(SIGPIPE, SIG_IGN);
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
