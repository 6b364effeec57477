"""ls and gc of the system's own IPC objects: queues, segments, semaphores, FIFOs, sockets."""

import ctypes
import json
import mmap
import os
import pty
import pwd
import re
import socket
import subprocess

from support import CliTest, Exit, is_root
import support

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.sem_open.restype = ctypes.c_void_p
IPC_CREAT, IPC_RMID, IPC_PRIVATE = 0o1000, 0, 0
MOUNT_NAMESPACE = ["unshare", "--mount", "--fork"]
PID_NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"]


class Message(ctypes.Structure):
    _fields_ = [("type", ctypes.c_long), ("text", ctypes.c_char * 16)]


def may(command):
    """Can this user have such a namespace? In a container often not even root."""
    return subprocess.run([*command, "true"], capture_output=True).returncode == 0


def mqueue_is_mounted():
    with open("/proc/mounts") as mounts:
        return any(line.split()[2] == "mqueue" for line in mounts)


class SystemObjectsTest(CliTest):
    def setUp(self):
        super().setUp()
        self.name = f"/cli-{os.getpid()}-{id(self):x}"

    # ---- making, each with its removal --------------------------------------------------------

    def checked(self, outcome):
        if outcome == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return outcome

    def make_sysv_queue(self, key=IPC_PRIVATE):
        queue = self.checked(LIBC.msgget(key, IPC_CREAT | 0o640))
        self.addCleanup(LIBC.msgctl, queue, IPC_RMID, None)
        return queue

    def send(self, queue, text=b"hello"):
        message = Message(1, text)
        self.checked(LIBC.msgsnd(queue, ctypes.byref(message), len(text), 0))

    def send_from_a_dead_process(self, queue):
        child = os.fork()
        if child == 0:
            self.send(queue)
            os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        return child

    def make_posix_queue(self):
        queue = self.checked(LIBC.mq_open(self.name.encode(), os.O_CREAT | os.O_RDWR, 0o640, None))
        self.addCleanup(LIBC.mq_unlink, self.name.encode())
        self.addCleanup(LIBC.mq_close, queue)
        self.checked(LIBC.mq_send(queue, b"abc", 3, 1))
        return queue

    def make_record(self, path, pid):
        """What hawser notes of a FIFO or socket file that it made."""
        status = os.stat(path)
        namespace = os.stat("/proc/self/ns/pid").st_ino
        record = self.mailboxes / f"hawser-made.{status.st_dev:x}-{status.st_ino:x}"
        record.write_text(f"{pid} {namespace}\n{path}")
        self.addCleanup(record.unlink, missing_ok=True)
        return record

    def tearDown(self):
        for record in self.mailboxes.glob("hawser-made.*"):
            record.unlink()
        super().tearDown()

    # ---- looking ------------------------------------------------------------------------------

    def listing(self, *flags, **extra):
        return self.document("ls", *flags, schema="ls", **extra)

    def objects(self, kind, *flags):
        return [one for one in self.listing(*flags)["objects"] if one["kind"] == kind]

    def object(self, kind, name=None, number=None):
        found = [one for one in self.objects(kind)
                 if one["name"] == name or (number is not None and one["id"] == number)]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_a_sysv_queue(self):
        key = 0x63_0000 | os.getpid() & 0xFFFF
        queue = self.make_sysv_queue(key)
        self.send(queue)
        one = self.object("sysv_queue", number=queue)
        self.assertEqual(one["address"], f"sysv-mq:0x{key:08x}")
        self.assertEqual((one["key"], one["uid"], one["gid"], one["mode"]),
                         (key, os.geteuid(), os.getegid(), "0640"))
        self.assertEqual((one["depth"], one["bytes"], one["last_sender_pid"], one["owner_lives"]),
                         (1, 5, os.getpid(), "yes"))
        self.assertIsNone(one["last_receiver_pid"])
        self.assertRegex(one["used"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        user = pwd.getpwuid(os.geteuid()).pw_name
        row = rf"sysv queue +0x{key:08x} \(id {queue}\) +{user} +0640 +1 +5B +\S+ +- +in use"
        self.assertRegex(self.out("ls").decode(), row)

    def test_a_posix_queue(self):
        self.make_posix_queue()
        if not mqueue_is_mounted() and self.listing()["not_seen"][0].startswith("POSIX queues"):
            self.skipTest("the mqueue file system is not mounted, and this user may not mount it")
        one = self.object("posix_queue", self.name)
        self.assertEqual((one["address"], one["depth"], one["bytes"], one["mode"], one["users"]),
                         ("mq:" + self.name, 1, 3, "0640", 1))
        self.assertEqual(one["capacity_bytes"], one["capacity"] * one["max_message"])

    def test_segments_and_semaphores(self):
        name = self.name.encode()
        self.addCleanup(LIBC.shm_unlink, name)
        self.addCleanup(LIBC.sem_unlink, name)
        segment = self.checked(LIBC.shm_open(name, os.O_CREAT | os.O_RDWR, 0o600))
        os.ftruncate(segment, 8192)
        memory = mmap.mmap(segment, 8192)
        self.addCleanup(memory.close)
        os.close(segment)
        self.assertNotEqual(LIBC.sem_open(name, os.O_CREAT, 0o600, 4), None)
        old = self.checked(LIBC.shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0o600))
        self.addCleanup(LIBC.shmctl, old, IPC_RMID, None)
        many = self.checked(LIBC.semget(IPC_PRIVATE, 3, IPC_CREAT | 0o600))
        self.addCleanup(LIBC.semctl, many, 0, IPC_RMID)
        one = self.object("posix_segment", self.name)
        self.assertEqual((one["bytes"], one["users"], one["owner_lives"]), (8192, 1, "yes"))
        self.assertEqual(self.object("posix_semaphore", self.name)["depth"], 4)
        one = self.object("sysv_segment", number=old)
        self.assertEqual((one["bytes"], one["users"], one["creator_pid"], one["owner_lives"]),
                         (4096, 0, os.getpid(), "yes"))
        self.assertEqual(self.object("sysv_semaphore", number=many)["members"], 3)
        self.assertRegex(self.out("ls").decode(), rf"\(id {many}\) .* 3 members ")

    def test_sockets_of_others_only_with_all(self):
        name = f"cli-{os.getpid()}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("\0" + name)
            listener.listen()
            self.assertNotIn("@" + name, [one["name"] for one in self.objects("unix_socket")])
            found = [one for one in self.objects("unix_socket", "--all")
                     if one["name"] == "@" + name]
            self.assertEqual([one["address"] for one in found], ["unix:@" + name])
            self.assertIn("@" + name, self.out("ls", "--all").decode())

    def test_limits(self):
        limits = {one["name"]: one for one in self.listing()["limits"]}
        with open("/proc/sys/kernel/msgmni") as told:
            self.assertEqual(limits["kernel.msgmni"]["value"], int(told.read()))
        self.assertIsInstance(limits["kernel.msgmni"]["used"], int)
        self.assertIsNone(limits["kernel.msgmax"]["used"])

    def test_mailboxes_only(self):
        self.send(self.make_sysv_queue())
        self.hawser("send", "box", "-m", "x")
        lines = self.out("ls", "--mailboxes").decode().splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["ADDRESS", "shm:box"])
        document = self.listing("--mailboxes")
        self.assertEqual([box["address"] for box in document["mailboxes"]], ["shm:box"])
        self.assertNotIn("objects", document)
        self.err("ls", "--mailboxes", "--all", status=Exit.USAGE)

    def test_two_tables(self):
        queue = self.make_sysv_queue()
        self.hawser("send", "box", "-m", "x")
        mailboxes, objects = self.out("ls").decode().split("\n\n")
        self.assertRegex(mailboxes, r"^ADDRESS .*\nshm:box ")
        self.assertRegex(objects, r"^KIND +NAME +OWNER ")
        self.assertIn(f"(id {queue})", objects)

    def test_names_can_not_speak_to_the_terminal(self):
        path = "/dev/shm/\033[31m" + self.name[1:]
        self.addCleanup(os.unlink, path)
        open(path, "wb").close()
        self.assertNotIn(b"\033", self.out("ls"))
        self.assertNotIn(b"\033", self.out("ls", "--json"))

    # ---- what can't be seen -------------------------------------------------------------------

    def without_mqueue(self, script):
        """Runs a shell script as root of a mount namespace in which mqueue is not mounted."""
        if not is_root() or not may(MOUNT_NAMESPACE):
            self.skipTest("this user may not have a private mount namespace")
        prepared = 'umount -a -t mqueue; H="$1"; P="$2"; ' + script
        done = subprocess.run(
            [*MOUNT_NAMESPACE, "sh", "-c", prepared, "sh", str(support.HAWSER), str(self.place)],
            env=self.environment, capture_output=True, timeout=support.WATCHDOG_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_mqueue_mounted_and_not(self):
        self.make_posix_queue()
        unseen = self.without_mqueue('"$H" ls --json')  # root sees it all the same
        self.assertIn(self.name, [one["name"] for one in unseen["objects"]])
        mounted = self.without_mqueue(
            'mkdir "$P/mq" && mount -t mqueue none "$P/mq" && "$H" ls --json')
        self.assertIn(self.name, [one["name"] for one in mounted["objects"]])

    def test_what_a_stranger_can_not_see_is_said(self):
        segment = f"/dev/shm{self.name}"
        self.addCleanup(os.unlink, segment)
        open(segment, "wb").close()
        if not may(["setpriv", "--reuid=65534", str(support.HAWSER), "--version"]):
            self.skipTest("no other user may run the program here")
        self.place.chmod(0o755)
        said = self.without_mqueue('setpriv --reuid=65534 --clear-groups "$H" ls --json')
        missing = "\n".join(said["not_seen"])
        self.assertIn("the mqueue file system is not mounted", missing)
        self.assertIn("mount -t mqueue none /dev/mqueue", missing)
        self.assertIn("processes of other users", missing)

    def test_a_terminal_is_told_what_is_missing(self):
        missing = self.listing()["not_seen"]
        mine, theirs = pty.openpty()
        with os.fdopen(mine, "rb", buffering=0) as terminal:
            self.hawser_on(theirs, "ls")
            os.close(theirs)
            said = terminal.read(65536).decode()
        self.assertIn("no mailboxes in", said)
        for one in missing:
            self.assertIn("not seen: " + one[:40], said)

    def hawser_on(self, stderr, *arguments):
        done = subprocess.run([str(support.HAWSER), *arguments], env=self.environment,
                              stdout=subprocess.DEVNULL, stderr=stderr,
                              timeout=support.WATCHDOG_S)
        self.assertEqual(done.returncode, Exit.OK)

    # ---- clearing away ------------------------------------------------------------------------

    def collected(self, *flags):
        return {one["name"]: one
                for one in self.document("gc", *flags, schema="gc")["objects"]}

    def test_gc_tells_of_queues_and_leaves_them(self):
        queue = self.make_sysv_queue()
        pid = self.send_from_a_dead_process(queue)
        name = self.object("sysv_queue", number=queue)["name"]
        self.assertEqual(self.object("sysv_queue", number=queue)["owner_lives"], "no")
        self.assertRegex(self.out("ls").decode(), rf"{re.escape(name)} .* left over")
        one = self.collected()[name]
        self.assertEqual((one["removed"], one["command"]), (False, f"ipcrm -q {queue}"))
        self.assertIn(str(pid), one["reason"])
        self.assertRegex(self.out("gc").decode(), rf"stays .*try: ipcrm -q {queue}\n")
        self.object("sysv_queue", number=queue)
        self.assertEqual(self.document("gc", "--mailboxes", schema="gc")["objects"], [])

    def test_gc_tells_how_to_remove_a_posix_queue(self):
        if not is_root() or not may(PID_NAMESPACE):
            self.skipTest("this user may not have a private PID namespace")
        queue = LIBC.mq_open(self.name.encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
        self.addCleanup(LIBC.mq_unlink, self.name.encode())
        os.close(self.checked(queue))
        # All processes there may be looked at: so it is known that nobody has it open.
        done = subprocess.run([*PID_NAMESPACE, str(support.HAWSER), "gc", "--json"],
                              env=self.environment, capture_output=True,
                              timeout=support.WATCHDOG_S)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        told = [one for one in json.loads(done.stdout)["objects"] if one["name"] == self.name]
        self.assertEqual([one["command"] for one in told], [f"hawser rm mq:{self.name}"])
        self.assertFalse(told[0]["removed"])
        self.hawser(*told[0]["command"].split()[1:])
        self.assertEqual(LIBC.mq_unlink(self.name.encode()), -1)

    def test_gc_removes_a_socket_file_that_hawser_made_and_nobody_uses(self):
        path = self.place / "made"
        strangers = self.place / "strangers"
        for each in (path, strangers):
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(each))
        record = self.make_record(path, os.getpid())
        plan = self.collected("--dry-run")
        self.assertEqual([name for name in plan if name.startswith(str(self.place))], [str(path)])
        self.assertTrue(plan[str(path)]["removed"] and path.exists() and record.exists())
        self.assertTrue(self.collected()[str(path)]["removed"])
        self.assertFalse(path.exists() or record.exists())
        self.assertTrue(strangers.exists())

    def test_gc_leaves_what_is_used(self):
        path = self.place / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            listener.setblocking(False)
            self.make_record(path, os.getpid())
            fifo = self.place / "fifo"
            os.mkfifo(fifo)
            self.make_record(fifo, os.getpid())
            found = self.collected()
            self.assertEqual(found[str(path)]["reason"], "in use")
            self.assertIn("lives", found[str(fifo)]["reason"])
            self.assertTrue(path.exists() and fifo.exists())
            with self.assertRaises(BlockingIOError):  # it was not disturbed
                listener.accept()

    def test_gc_removes_a_fifo_whose_maker_is_dead(self):
        if not is_root() or not may(PID_NAMESPACE):
            self.skipTest("this user may not have a private PID namespace")
        # All processes there may be looked at, which even root may not everywhere.
        script = """
            mkfifo "$2/fifo" &&
            printf '%s %s\\n%s' 4000000 "$(stat -Lc %i /proc/self/ns/pid)" "$2/fifo" \
                > "$HAWSER_DIR/hawser-made.$(printf '%x-%x' $(stat -c '%d %i' "$2/fifo"))" &&
            "$1" ls > "$2/ls" && "$1" gc"""
        done = subprocess.run(
            [*PID_NAMESPACE, "sh", "-c", script, "sh", str(support.HAWSER), str(self.place)],
            env=self.environment, capture_output=True, timeout=support.WATCHDOG_S)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertRegex((self.place / "ls").read_text(), r"fifo +/\S+/fifo .* 0 +left over")
        self.assertRegex(done.stdout.decode(), r"fifo:/\S+/fifo +removed .*4000000, is dead")
        self.assertFalse((self.place / "fifo").exists())
        self.assert_nothing_left()

