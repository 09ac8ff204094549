// Cleans up after a runner that dies without a word (SIGKILL, power of the terminal): a small shell waits on a pipe
// that only the runner holds; when the pipe closes without "done", it kills the server with its children and removes its directory.
// Owns that promise for one process; an orderly end is ChildServer.ts's.
import { spawn } from "node:child_process"

// What is dying may still be writing: the directory is removed again until it is gone, for some seconds.
const script = [
  'trap "" INT TERM HUP; read -r word; [ "$word" = done ] && exit 0',
  'kill -9 "-$1" 2>/dev/null',
  'for _ in 1 2 3 4 5; do rm -rf -- "$2"; [ -e "$2" ] || exit 0; sleep 1; done'
].join("; ")

/** Guards a process and its directory; call the result after an orderly end. */
export const guard = (pid: number, directory: string): (() => void) => {
  const shell = spawn("/bin/sh", ["-c", script, "wharf-reaper", String(pid), directory], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  shell.on("error", () => {})
  shell.stdin.on("error", () => {})
  shell.unref()
  return () => void shell.stdin.end("done\n")
}
