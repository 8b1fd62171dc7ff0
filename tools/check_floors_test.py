# SPDX-License-Identifier: Apache-2.0
"""Tests of check_floors.py on small trees that break one rule each."""
import pathlib
import tempfile
import unittest

import check_floors

FLOORS = "# lowest first\nregard/low\nregard/high\napps/cli\n"


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("floors.txt", FLOORS)
        self.write("cmake/public_headers.cmake", "set(X\n    regard/low/a.h)\n")
        self.write("regard/low/a.h", "")
        self.write("regard/high/b.h", '#include "regard/low/a.h"\n')
        self.write("apps/cli/main.cc", '#include "regard/high/b.h"\n')

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def problems(self):
        floors = check_floors.read_floors(self.root)
        return check_floors.check_includes(self.root, floors) + check_floors.check_public(self.root)

    def test_a_tree_that_only_looks_down_is_clean(self):
        self.assertEqual(self.problems(), [])
        self.assertEqual(check_floors.main(["--root", str(self.root)]), 0)

    def test_an_include_from_above_is_named_with_file_line_and_rule(self):
        self.write("regard/low/a.cc", '// first\n#include "regard/high/b.h"\n')
        self.assertEqual(len(self.problems()), 1)
        self.assertTrue(self.problems()[0].startswith("regard/low/a.cc:2: upward: "))
        self.assertEqual(check_floors.main(["--root", str(self.root)]), 1)

    def test_the_library_may_not_include_an_app(self):
        self.write("apps/cli/verb.h", "")
        self.write("regard/high/b.cc", '#include "apps/cli/verb.h"\n')
        self.assertIn(": upward: ", self.problems()[0])

    def test_a_test_file_obeys_the_same_rules(self):
        self.write("regard/low/a_test.cc", '  #  include "regard/high/b.h"\n')
        self.assertIn("regard/low/a_test.cc:1: upward: ", self.problems()[0])

    def test_a_folder_that_is_not_listed_is_no_place_to_include_from(self):
        self.write("regard/attic/c.h", "")
        self.write("regard/high/b.cc", '#include "regard/attic/c.h"\n')
        self.assertIn(": unlisted: ", self.problems()[0])

    def test_an_include_written_from_its_own_folder_is_refused(self):
        self.write("regard/low/a.cc", '#include "a.h"\n')
        self.assertIn(": root: ", self.problems()[0])

    def test_a_header_that_does_not_exist_is_named(self):
        self.write("regard/high/b.cc", '#include "regard/low/nowhere.h"\n')
        self.assertIn(": missing: ", self.problems()[0])

    def test_includes_of_others_are_not_our_business(self):
        self.write("regard/low/a.cc", '#include "hwy/foreach_target.h"\n#include <regard/high/b.h>\n')
        self.assertEqual(self.problems(), [])

    def test_a_public_header_may_not_need_a_private_one(self):
        self.write("cmake/public_headers.cmake", "set(X\n    regard/high/b.h)\n")
        self.assertIn("regard/high/b.h:1: public: ", self.problems()[0])

    def twice(self, one, other):
        self.write("regard/low/a.h", one)
        self.write("regard/high/b.cc", other)
        floors = check_floors.read_floors(self.root)
        return check_floors.check_types(self.root, floors)

    def test_a_type_of_one_namespace_in_two_files_is_named_with_both(self):
        problems = self.twice("namespace regard {\nclass Model {\n  int x;\n};\n}  // namespace",
                              "namespace regard {\nstruct Model final : Base<int> { };\n}\n")
        self.assertEqual(problems, ["regard/low/a.h: twice: regard::Model is also defined in "
                                    "regard/high/b.cc"])
        self.assertEqual(check_floors.main(["--root", str(self.root)]), 1)
        self.assertEqual(len(self.twice("namespace regard { enum class Kind : int { kA }; }",
                                        "namespace regard { union Kind { int a; }; }")), 1)

    def test_types_that_only_share_a_name_may(self):
        for other in ("namespace regard { namespace { class Model { }; } }",
                      "namespace regard { class Other { class Model { }; }; }",
                      "namespace regard::other { class Model { }; }",
                      "namespace regard { class Model; template <class Model> void f(Model& m) { } }",
                      "namespace regard { void f() { struct Model { }; } }",
                      "namespace regard {\n// class Model {\nchar c = '{', *s = \"class Model {\"; }",
                      "class Model { };"):
            self.assertEqual(self.twice("namespace regard { class Model { }; }", other), [], other)

    def test_a_room_of_500_lines_is_large_and_of_499_is_not(self):
        floors = check_floors.read_floors(self.root)
        self.write("regard/low/a.cc", "//\n" * 499)
        self.assertEqual(check_floors.check_sizes(self.root, floors), [])
        self.write("regard/low/a.cc", "//\n" * 500)
        self.assertEqual(len(check_floors.check_sizes(self.root, floors)), 1)
        self.assertEqual(check_floors.main(["--root", str(self.root)]), 0)
        self.assertEqual(check_floors.main(["--root", str(self.root), "--strict"]), 1)

    def test_an_inl_header_is_code_and_has_the_limit_of_a_source(self):
        floors = check_floors.read_floors(self.root)
        self.write("regard/low/a-inl.h", "//\n" * 499)
        self.assertEqual(check_floors.check_sizes(self.root, floors), [])
        self.write("regard/low/a.h", "//\n" * 150)
        self.assertEqual(len(check_floors.check_sizes(self.root, floors)), 1)

    def test_a_generated_table_has_no_size(self):
        self.write("regard/low/table.cc", "// Generated by a tool.\n" + "//\n" * 900)
        floors = check_floors.read_floors(self.root)
        self.assertEqual(check_floors.check_sizes(self.root, floors), [])


if __name__ == "__main__":
    unittest.main()
