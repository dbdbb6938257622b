#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""ci/junit.py FILE: counts the tests in a JUnit report of ctest or pytest.

Prints "PASSED FAILED SKIPPED", then which tests failed, then each reason to skip with how many tests gave it, most
first. A report that is missing, broken or without any test counts as one failure.
"""
import collections
import sys
import xml.etree.ElementTree as ET


def count(path):
    passed, failed, reasons = 0, [], collections.Counter()
    for case in ET.parse(path).getroot().iter('testcase'):
        skip = case.find('skipped')
        if case.find('failure') is not None or case.find('error') is not None:
            failed.append(case.get('name'))
        elif case.get('status') == 'notrun' and not (skip is not None and skip.get('message', '').startswith('SKIP_')):
            failed.append(case.get('name'))  # ctest could not start it: no skip of ours
        elif skip is not None:
            reasons[' '.join((skip.get('message') or 'no reason given').split())] += 1
        else:
            passed += 1
    return passed, failed, reasons


def main(path):
    try:
        passed, failed, reasons = count(path)
    except (OSError, ET.ParseError) as e:
        print(f'no report: {e}', file=sys.stderr)
        passed, failed, reasons = 0, ['the report'], collections.Counter()
    if passed + len(failed) + sum(reasons.values()) == 0:
        print('the report has no test', file=sys.stderr)
        failed = ['the report']
    print(passed, len(failed), sum(reasons.values()))
    for name in failed:
        print(f'failed: {name}')
    for reason, n in reasons.most_common():
        print(f'skipped: {n} x {reason}')


if __name__ == '__main__':
    main(sys.argv[1])
