// Cleans up after a runner that dies without a word (SIGKILL, power of the terminal): a small shell waits on a pipe
// that only the runner holds; when the pipe closes without "done", it kills the server with its children and removes its directory.
// Owns that promise for one process; an orderly end is ServerProcess.ts's.
import { spawn } from "node:child_process"

const script =
  'trap "" INT TERM HUP; read -r word; [ "$word" = done ] && exit 0; kill -9 -- "-$1" 2>/dev/null; rm -rf -- "$2"'

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
