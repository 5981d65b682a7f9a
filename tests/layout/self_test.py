#!/usr/bin/env python3
"""The checks of this folder find what they are there for."""
import pathlib
import tempfile
import unittest

import arrows
import clocks
import file_size
import names


class Layout(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_an_arrow_against_the_order_is_found(self):
        self.write("protocol/uri.cc", '#include "protocol/uri.h"\n#include "worker/node.h"\n')
        self.assertEqual(arrows.check(self.root), ["protocol/uri.cc:2: protocol may not use worker/node.h"])

    def test_values_do_not_know_sockets(self):
        self.write("protocol/message.h", '# include "protocol/link/link.h"\n')
        self.assertEqual(len(arrows.check(self.root)), 1)

    def test_a_driver_does_not_use_the_tests(self):
        self.write("driver/ref.cc", '#include "tests/support/process_cluster.h"\n')
        self.assertEqual(len(arrows.check(self.root)), 1)

    def test_the_allowed_ones_pass(self):
        self.write("worker/node.cc", '#include "store/csv.h"\n#include <zmq.hpp>\n#include "worker/node.h"\n')
        self.assertEqual(arrows.check(self.root), [])

    def test_a_long_file_is_found(self):
        self.write("store/big.cc", "\n" * 401)
        self.assertIn("store/big.cc has 401 lines", next(file_size.check(self.root)))

    def test_a_lease_by_the_wall_clock_is_found(self):
        self.write("worker/server.h", "using Clock = std::chrono::steady_clock;\nauto now = std::chrono::system_clock::now();\n")
        found = [problem for problem in clocks.check(self.root) if "can go" not in problem]
        self.assertEqual(len(found), 1)
        self.assertIn("worker/server.h:2: system_clock", found[0])

    def test_a_reason_without_a_wall_clock_can_go(self):
        self.write("protocol/utc.cc", "int x;\n")
        self.assertTrue(any("protocol/utc.cc does not look" in problem for problem in clocks.check(self.root)))

    def test_two_classes_of_one_name_are_found(self):
        self.write("store/index.h", "namespace curia {\nclass Index {\n};\nclass Other;\n}\n")
        self.write("worker/index.h", "namespace curia {\nstruct Index : Other {\n};\nclass Other;\n}\n")
        self.assertEqual(len(list(names.check(self.root))), 1)


unittest.main()
