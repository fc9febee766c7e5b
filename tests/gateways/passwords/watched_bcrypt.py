"""Passwords, and bcrypt as tests watch and hold it."""

import asyncio
import threading

import bcrypt

ROUNDS = 4
RIGHT, WRONG = "Correct horse 1", "Correct horse 2"


class Bcrypt:
    """The real bcrypt, with a count of the rounds asked for and a gate that can hold it."""

    def __init__(self):
        self.rounds, self.threads = [], []
        self.entered, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self._hashpw = bcrypt.hashpw

    def __call__(self, password, salt):
        self.rounds.append(int(salt.split(b"$")[2]))
        self.threads.append((threading.current_thread().name, threading.get_native_id()))
        self.entered.set()
        assert self.gate.wait(30)
        return self._hashpw(password, salt)

    async def held(self, job):
        """*job* as a task that has got as far as bcrypt and stays there."""
        self.gate.clear()
        self.entered.clear()
        task = asyncio.create_task(job)
        assert await asyncio.to_thread(self.entered.wait, 30)
        return task


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now
