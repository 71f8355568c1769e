# Where each name of this package lives: for editors and type checkers, which run nothing.
# Written by `make fmt` from the table in __init__.py; change that one.

from codex_oauth.authority.authority import Authority as Authority
from codex_oauth.authority.both import BothAuthorities as BothAuthorities
from codex_oauth.authority.both import read_both_faults as read_both_faults
from codex_oauth.authority.chatgpt.hostile import HOSTILE_ANSWERS as HOSTILE_ANSWERS
from codex_oauth.authority.chatgpt.hostile import ChatGptFault as ChatGptFault
from codex_oauth.authority.chatgpt.hostile import Hostile as Hostile
from codex_oauth.authority.chatgpt.hostile import HostileAnswer as HostileAnswer
from codex_oauth.authority.chatgpt.hostile import HostileKind as HostileKind
from codex_oauth.authority.chatgpt.hostile import read_chatgpt_faults as read_chatgpt_faults
from codex_oauth.authority.chatgpt.peer import ChatGptAuthority as ChatGptAuthority
from codex_oauth.authority.chatgpt.script import ClientFault as ClientFault
from codex_oauth.authority.chatgpt.settings import ChatGptPolicy as ChatGptPolicy
from codex_oauth.authority.chatgpt.settings import EarliestRefresh as EarliestRefresh
from codex_oauth.authority.chatgpt.settings import Person as Person
from codex_oauth.authority.chatgpt.settings import StreamEnd as StreamEnd
from codex_oauth.authority.chatgpt.settings import Workspace as Workspace
from codex_oauth.authority.endpoints import Received as Received
from codex_oauth.authority.endpoints import Rules as Rules
from codex_oauth.authority.faults import Fault as Fault
from codex_oauth.authority.faults_file import read_faults as read_faults
from codex_oauth.authority.messages import Answer as Answer
from codex_oauth.authority.models.misfortunes import Misfortune as Misfortune
from codex_oauth.authority.models.misfortunes import ModelFault as ModelFault
from codex_oauth.authority.models.settings import CatalogModel as CatalogModel
from codex_oauth.authority.models.settings import HeaderRules as HeaderRules
from codex_oauth.authority.models.settings import LimitKind as LimitKind
from codex_oauth.authority.models.settings import ModelPolicy as ModelPolicy
from codex_oauth.authority.models.settings import UsageLimit as UsageLimit
from codex_oauth.authority.policy import Account as Account
from codex_oauth.authority.policy import Approve as Approve
from codex_oauth.authority.policy import Policy as Policy
from codex_oauth.authority.server import AuthorityServer as AuthorityServer
from codex_oauth.authority.server import RulesServer as RulesServer
from codex_oauth.authority.server import serve as serve

__all__ = [
    "HOSTILE_ANSWERS",
    "Account",
    "Answer",
    "Approve",
    "Authority",
    "AuthorityServer",
    "BothAuthorities",
    "CatalogModel",
    "ChatGptAuthority",
    "ChatGptFault",
    "ChatGptPolicy",
    "ClientFault",
    "EarliestRefresh",
    "Fault",
    "HeaderRules",
    "Hostile",
    "HostileAnswer",
    "HostileKind",
    "LimitKind",
    "Misfortune",
    "ModelFault",
    "ModelPolicy",
    "Person",
    "Policy",
    "Received",
    "Rules",
    "RulesServer",
    "StreamEnd",
    "UsageLimit",
    "Workspace",
    "read_both_faults",
    "read_chatgpt_faults",
    "read_faults",
    "serve",
]
