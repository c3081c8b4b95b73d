"""An SMTP server on loopback (RFC 5321), as small as it can be, that can also misbehave."""

import asyncio
import base64
import contextlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

USER, PASSWORD = "movie-finder", "smtp-password-61c0"


@dataclass
class Certificate:
    """A certificate for 127.0.0.1 that signed itself."""

    file: Path
    key: Path

    @classmethod
    def made(cls, folder: Path) -> Self:
        """A new one, in `folder`."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "smtp double")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(folder / "certificate.pem", folder / "key.pem")
        made.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made

    def serving(self) -> ssl.SSLContext:
        """What the server shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context

    def trusted(self) -> ssl.SSLContext:
        """What a client that trusts it has."""
        return ssl.create_default_context(cafile=str(self.file))


class SmtpDouble:
    """Takes mails in, unless told otherwise.

    Attributes:
        replies: what a command, by its first word, is answered instead; `HANG` answers nothing, `DROP` hangs up.
        mails: what was taken in.
        secure: of each mail, whether it came by TLS.
        logins: the user and password of each login.
        port: the same after each start.
    """

    def __init__(
        self, certificate: Certificate | None = None, *, implicit: bool = False, utf8: bool = False, port: int = 0
    ) -> None:
        self._certificate = certificate
        self._implicit = implicit
        self._utf8 = utf8
        self.port = port
        self.replies: dict[str, str] = {}
        self.mails: list[EmailMessage] = []
        self.secure: list[bool] = []
        self.logins: list[tuple[str, str]] = []
        self.recipients: list[str] = []
        self.arrived = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        tls = self._certificate.serving() if self._certificate and self._implicit else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def mail(self, number: int = 1) -> EmailMessage:
        """The mail of this number, as soon as it is there."""
        async with asyncio.timeout(10):
            while len(self.mails) < number:
                self.arrived.clear()
                await self.arrived.wait()
        return self.mails[number - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            await self._say(writer, self.replies.get("CONNECT", "220 double"))
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _say(self, writer: asyncio.StreamWriter, reply: str) -> None:
        if reply == "HANG":
            await asyncio.sleep(3600)
        if reply == "DROP":
            raise ConnectionError
        writer.write("".join(f"{line}\r\n" for line in reply.split("\n")).encode())
        await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = (await reader.readuntil(b"\r\n")).decode().strip()
        word = line.split(" ")[0].upper()
        if word == "RCPT":
            self.recipients.append(line.partition("<")[2].rpartition(">")[0])
        if word in self.replies:
            await self._say(writer, self.replies[word])
            return True
        if word == "DATA":
            await self._take_in(reader, writer)
        elif word == "AUTH":
            await self._say(writer, self._login(line))
        else:
            await self._say(
                writer,
                {"EHLO": self._extensions(writer), "STARTTLS": "220 go on", "QUIT": "221 bye"}.get(word, "250 ok"),
            )
        if word == "STARTTLS" and self._certificate:
            await writer.start_tls(self._certificate.serving())
        return word != "QUIT"

    def _extensions(self, writer: asyncio.StreamWriter) -> str:
        starttls = ["STARTTLS"] if self._certificate and not writer.get_extra_info("sslcontext") else []
        lines = ["double", "8BITMIME", "AUTH PLAIN", *starttls, *(["SMTPUTF8"] if self._utf8 else [])]
        return "\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])

    def _login(self, line: str) -> str:
        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        self.logins.append((user, password))
        return "235 ok" if (user, password) == (USER, PASSWORD) else "535 5.7.8 wrong"

    async def _take_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "354 go on")
        content = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
        if "END" in self.replies:
            await self._say(writer, self.replies["END"])
            return
        self.mails.append(message_from_bytes(content.replace(b"\r\n..", b"\r\n."), policy=policy.default))
        self.secure.append(writer.get_extra_info("sslcontext") is not None)
        self.arrived.set()
        await self._say(writer, "250 taken")
