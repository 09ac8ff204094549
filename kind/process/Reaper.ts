// Cleans up after a runner that dies without a word (SIGKILL, power of the terminal): a small shell waits on a pipe
// that only the runner holds; when the pipe closes without "done", it kills the server with its children and removes its directory.
// It stands before the server starts: a shell takes a while, and a runner that dies in that while would leave the server behind.
// Owns that promise for one process; an orderly end is ChildServer.ts's.
import { spawn } from "node:child_process"

// What is dying may still be writing: the directory is removed again until it is gone, for some seconds.
const script = [
  'trap "" INT TERM HUP; read -r pid; read -r word; [ "$word" = done ] && exit 0',
  '[ -n "$pid" ] && kill -9 "-$pid" 2>/dev/null',
  'for _ in 1 2 3 4 5; do rm -rf -- "$1"; [ -e "$1" ] || exit 0; sleep 1; done'
].join("; ")

/** A reaper that waits for the process it is to guard. */
export interface Reaper {
  /** The process that dies with the runner, as the leader of its group. */
  readonly guards: (pid: number) => void
  /** After an orderly end, or when nothing was started. */
  readonly dismiss: () => void
}

/** Guards a directory from now on, and the process in it as soon as that is named. */
export const openReaper = (directory: string): Reaper => {
  const shell = spawn("/bin/sh", ["-c", script, "wharf-reaper", directory], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  shell.on("error", () => {})
  shell.stdin.on("error", () => {})
  shell.unref()
  let named = false
  return {
    guards: (pid) => {
      named = true
      shell.stdin.write(`${pid}\n`)
    },
    dismiss: () => void shell.stdin.end(named ? "done\n" : "\ndone\n")
  }
}
