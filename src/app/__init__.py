"""The command line: thin wiring over `execution`, `core` and the simulator.

cli           the command `bracketeer` and its exit codes
options       options that several commands share
console       one place that writes: tables for people, JSON for programs
signals       `signal …`; `report_view` shows what came of one; `settling` waits for the
                  start to be over, `care` sees that no position is left unguarded
status        `status`: our record beside the exchange's own books; `agreement` compares them
audit         `audit verify | show`; `audit_text` says a line in words
demo          `demo`: `demo_story` plays it, `demo_exchange` runs the exchange, `demo_screen` shows it,
              `demo_promises` judges it
"""
