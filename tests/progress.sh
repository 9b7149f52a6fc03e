#!/bin/bash
# The line of progress on a terminal: what is done, of how much, and how long it will take; and that it goes away.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$SCRATCH" || exit 1

{
	printf '/dev/null\n0 0\nd--755 0 0\n'
	for d in {1..16}; do
		echo "d$d d--755 0 0"
		for f in {1..200}; do echo "f$f ---644 0 0 /dev/null"; done
		echo '$'
	done
	echo '$'
} >many
SIZE=2G image image -d agcount=16 -p many

# A check with a terminal as its stderr, stopped for a while once it has shown something. One that has ended by then is begun again.
python3 - "$M" >shown <<'PY'
import os, pty, signal, subprocess, sys, time
program = sys.argv[1]
def read(main):
    text = b""
    try:
        while True:
            more = os.read(main, 4096)
            if not more:
                return text
            text += more
    except OSError:  # nothing there; nobody at the other end
        return text
for _ in range(20):
    main, end = pty.openpty()
    os.set_blocking(main, False)
    check = subprocess.Popen([program, "check", "image"], stdout=subprocess.DEVNULL, stderr=end)
    os.close(end)
    text = b""
    while check.poll() is None and b"inodes" not in text:
        time.sleep(0.002)
        check.send_signal(signal.SIGSTOP)
        text += read(main)
        if b"inodes" in text:
            time.sleep(2.5)
        check.send_signal(signal.SIGCONT)
    status = check.wait()
    text += read(main)
    if status or b"left" in text:
        break
sys.stdout.buffer.write(text.replace(b"\r\033[K", b"\n<"))
sys.exit(status)
PY
check status test $? = 0
check percent grep -qE '^<reading metadata: [0-9]+% of [0-9]+ inodes' shown
check eta grep -qE '^<reading metadata: [0-9]+% of [0-9]+ inodes, about [0-9]+ s left$' shown
same goes-away '<' "$(tail -1 shown)"
# Nobody looks: nothing is shown.
"$M" check image >out 2>err
check quiet test ! -s err
