"""Logging in: keys, prompts and passwords, in the order that is configured, as many as the host wants.

A person is asked as a last resort, and only for what the host would take: a key's passphrase once it has said that the
key would do. Passphrases and passwords that were right are remembered for this run; a code is asked for each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from mailtop.model.errors import LoginRefused, Unanswered
from mailtop.model.question import Asker, Kind
from mailtop.model.text import Foreign
from mailtop.transport.ssh.handshake import NONSENSE
from mailtop.transport.ssh.keys import Key, Keys
from mailtop.transport.ssh.options import SshOptions
from mailtop.transport.ssh.prompter import NobodyKnowsError, Prompter, account_of, again, nothing, place_of

if TYPE_CHECKING:
    import paramiko

    from mailtop.transport.ssh.conversation import Conversation

_ROUNDS = 8  # methods that a host may want one after the other


def log_in(
    transport: paramiko.Transport,
    name: str,
    options: SshOptions,
    asker: Asker,
    password: Callable[[], str] | None = None,
) -> None:
    """Log in on a transport whose host is known; `password` fetches the password, should one be wanted.

    Raises LoginRefused, Unanswered, and what `password` raises.
    """
    import paramiko

    login = _Login(transport, name, options, asker, password)
    try:
        login.run()
    except (paramiko.SSHException, EOFError, OSError, *NONSENSE) as error:
        raise login.ended(error) from error
    finally:
        login.keys.close()


class _Login:
    def __init__(
        self,
        transport: paramiko.Transport,
        name: str,
        options: SshOptions,
        asker: Asker,
        password: Callable[[], str] | None,
    ) -> None:
        from mailtop.transport.ssh.conversation import Conversation

        self.keys = Keys(options)
        self.remedy = f"try: ssh {options.destination}, then ssh-add the key, or ssh-copy-id it there"
        self._transport, self._name, self._options, self._asker = transport, name, options, asker
        self._talk: Conversation = Conversation(transport, options.user)
        self._password = password
        self._tried: list[str] = []
        self._key_by_key = self._by_key()
        self.asked = False
        self._account = account_of(options)

    def run(self) -> None:
        import paramiko

        ways: dict[str, Callable[[], Sequence[str] | None]] = {
            "publickey": lambda: next(self._key_by_key, None),
            "keyboard-interactive": self._by_prompts,
            "password": self._by_password,
        }
        try:
            taken: Sequence[str] = self._talk.none()
        except paramiko.BadAuthenticationType as error:
            taken = error.allowed_types
        proven: list[str] = []
        failed: set[str] = set()
        while taken:
            method = next((one for one in self._options.methods if one in taken and one not in failed), "")
            if not method:
                raise self._refused(taken, proven)
            more = ways[method]()
            if more is None:
                failed.add(method)
                continue
            proven.append(method)
            if len(proven) > _ROUNDS:
                raise LoginRefused(self._name, "it wants ever more ways to log in", self.remedy)
            taken, failed = more, failed - {"keyboard-interactive", "password"}

    def ended(self, error: Exception) -> LoginRefused:
        """The host has hung up, or does not speak any more."""
        refused = Unanswered if self.asked else LoginRefused
        if self._tried and not self._transport.is_active():
            why = f"it ended the login, perhaps for too many tries ({'; '.join(self._tried)})"
            return refused(self._name, why, "offer it fewer keys: IdentitiesOnly and IdentityFile in ~/.ssh/config")
        said = f"it ended the login: {str(error) or 'it hung up'}"
        return refused(self._name, Foreign(said.encode("utf-8", "replace")), self.remedy)

    def _by_key(self) -> Iterator[Sequence[str]]:
        """Yield what is wanted further, at each key that is taken."""
        import paramiko

        from mailtop.transport.ssh.conversation import Signer

        for key in self.keys.all():
            ready = key if key.sign else self._unlocked(key)
            if ready is None or ready.sign is None:
                continue
            try:
                yield self._talk.key(Signer(ready.kind, ready.blob, ready.sign))
            except paramiko.BadAuthenticationType:
                return
            except paramiko.AuthenticationException:
                if not self._transport.is_active():
                    raise
                self._tried.append(f"{key.label} refused")
            except OSError as error:
                self._tried.append(f"{key.label}: the agent does not sign ({error})")

    def _unlocked(self, key: Key) -> Key | None:
        """A locked key, unlocked by what is remembered or a person knows; None where it is of no use here."""
        if key.blob and not self._talk.would_do(key.kind, key.blob):
            self._tried.append(f"{key.label} refused")
            return None
        remembered = self._asker.recall(Kind.PASSPHRASE, key.path)
        if remembered is not None and (ready := self.keys.unlocked(key, remembered)):
            return ready
        for tries in range(self._options.tries):
            words = f"passphrase of {key.path}"
            said = self._asker.ask(Kind.PASSPHRASE, key.path, again(words, tries), True, self._transport.is_active)
            if said is None:
                break
            if ready := self.keys.unlocked(key, said):
                self._asker.keep(Kind.PASSPHRASE, key.path, said)
                return ready
        else:
            if self._options.tries:
                raise Unanswered(self._name, f"no right passphrase for {key.path}", f"or: ssh-add {key.path}")
        self._tried.append(f"{key.path} needs its passphrase: ssh-add it")
        return None

    def _by_password(self) -> Sequence[str] | None:
        """What is wanted further; None where no password is taken, or nobody knows one."""
        import paramiko

        words = f"{place_of(self._options)}'s password"
        wrong = False
        for tries in range(self._options.tries):
            said = self._recalled() if not tries else None
            if said is None:
                wanted = self._transport.is_active
                said = self._asker.ask(Kind.PASSWORD, self._account, again(words, wrong), True, wanted)
                if said is None:
                    return None
                self.asked = wrong = True
            try:
                more = self._talk.word(said)
            except LoginRefused as error:
                raise LoginRefused(self._name, error.reason, error.remedy) from error
            except paramiko.BadAuthenticationType:
                return None
            except paramiko.AuthenticationException:
                if not self._transport.is_active():
                    raise
                self._asker.forget(Kind.PASSWORD, self._account)
                self._refused_too("password refused")
                continue
            self._asker.keep(Kind.PASSWORD, self._account, said)
            return more
        return None

    def _by_prompts(self) -> Sequence[str] | None:
        """The same by keyboard-interactive: passwords, codes, whatever the host asks."""
        import paramiko

        wrong = False
        for tries in range(self._options.tries):
            recalled = self._recalled if not tries else nothing
            prompter = Prompter(self._asker, recalled, self._options, wrong, self._transport.is_active)
            try:
                more = self._talk.interactive(prompter)
            except NobodyKnowsError:
                return None
            except paramiko.BadAuthenticationType:
                return None
            except paramiko.AuthenticationException:
                if not self._transport.is_active():
                    raise
                prompter.wrong()
                wrong |= prompter.asked
                self.asked |= prompter.asked
                if not prompter.given:
                    return None  # it refuses without asking anything
                self._refused_too("answers refused")
                continue
            prompter.right()
            return more
        return None

    def _refused_too(self, what: str) -> None:
        if what not in self._tried:
            self._tried.append(what)

    def _recalled(self) -> str | None:
        """The password that was right before, else the one that is configured."""
        known = self._asker.recall(Kind.PASSWORD, self._account)
        return self._password() if known is None and self._password is not None else known

    def _refused(self, taken: Sequence[str], proven: Sequence[str]) -> LoginRefused:
        user, options = self._options.user, self._options
        tried = "; ".join((*self._tried, *self.keys.amiss)) or "there is none"
        wanted = " and ".join(taken)
        if self.asked:
            return Unanswered(self._name, f"{user} may not log in: {tried}", "r asks once more")
        if proven:
            why = f"it wants {wanted} besides {' and '.join(proven)}"
            return LoginRefused(self._name, f"{why} ({tried})" if self._tried else why, self.remedy)
        if not set(taken) & set(options.methods):
            return LoginRefused(self._name, f"it takes only {wanted} from {user}", self.remedy)
        if "publickey" not in taken:
            why = f"it takes no keys from {user}, only {wanted}"
            why = f"{why} ({'; '.join(self._tried)})" if self._tried else why
            asks = "run mailtop on a terminal" if options.tries else "BatchMode is set"
            return LoginRefused(self._name, why, f"nobody can be asked for that here: {asks}")
        return LoginRefused(self._name, f"no key for {user} ({tried})", self.remedy)
