"""Rules that find out why a run went wrong: Evidence in, findings out; they never change a run."""

from tricklab.doctor.finding import Finding, Rule
from tricklab.doctor.run import all_rules, run_rules
from tricklab.doctor.text import read_text, text_findings

__all__ = ["Finding", "Rule", "all_rules", "read_text", "run_rules", "text_findings"]
