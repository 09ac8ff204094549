// How the processes of a benchmark talk: the parent asks, the child answers; and what the system says a process used.
import { type ChildProcess, fork } from "node:child_process"
import { readFileSync } from "node:fs"

export interface Child {
  readonly child: ChildProcess
  readonly port: number
  readonly ask: <A>(what: string, ...more: ReadonlyArray<unknown>) => Promise<A>
}

/** Starts a module whose first message is the port that it listens on. */
export const start = (module: string, args: ReadonlyArray<string>): Promise<Child> =>
  new Promise((resolve, reject) => {
    const child = fork(new URL(module, import.meta.url), [...args], { execArgv: ["--expose-gc", ...profile(module)] })
    const ask = <A>(what: string, ...more: ReadonlyArray<unknown>): Promise<A> =>
      new Promise((answered) => {
        child.once("message", (answer) => answered(answer as A))
        child.send([what, ...more])
      })
    child.once("message", (port) => resolve({ child, port: port as number, ask }))
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`${module} ended with ${code}`)))
  })

const profile = (module: string): ReadonlyArray<string> =>
  process.env["PROFILE"] !== undefined && module.includes("Gateway")
    ? ["--cpu-prof", `--cpu-prof-dir=${process.env["PROFILE"]}`]
    : []

/** In a child: answers the parent by a table of functions. */
export const answers = (table: Readonly<Record<string, (...more: ReadonlyArray<never>) => unknown>>): void => {
  process.on("message", ([what, ...more]: [string, ...ReadonlyArray<never>]) => {
    void Promise.resolve(table[what]?.(...more)).then((answer) => process.send?.(answer ?? null))
  })
  process.on("SIGTERM", () => process.exit(0))
}

/** Seconds of processor time that a process has used so far. */
export const processorSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Resident bytes of a process. */
export const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024
