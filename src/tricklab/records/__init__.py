"""Run and experiment folders: writers, readers, Evidence, locks, safetensors trees. Importing it imports no torch."""

from tricklab.records.atomic import write_atomic as write_atomic
from tricklab.records.environment import environment as environment
from tricklab.records.environment import source_hash as source_hash
from tricklab.records.evidence import Evidence as Evidence
from tricklab.records.evidence import facts_of as facts_of
from tricklab.records.experiment import Experiment as Experiment
from tricklab.records.experiment import plan_hash as plan_hash
from tricklab.records.json_text import dumps as dumps
from tricklab.records.json_text import loads as loads
from tricklab.records.json_text import read_json as read_json
from tricklab.records.run_folder import STATES as STATES
from tricklab.records.run_folder import RunFolder as RunFolder
from tricklab.records.scan import RunSummary as RunSummary
from tricklab.records.scan import scan as scan
from tricklab.records.trees import load_tree as load_tree
from tricklab.records.trees import save_tree as save_tree
