// A small world of processes that send each other work at random: what the tests of determinism run, in process and in a fresh one.
import { Kernel } from "#sim"

/** Runs it and answers the hash of its event log. */
export const scatter = (seed: number): string => {
  const kernel = new Kernel({ seed })
  const processes = Array.from({ length: 8 }, (_, at) => kernel.process(`p${at}`))
  const work = processes.map((process) =>
    kernel.handler(process, (left) => {
      process.clockwork.defer(() => undefined)
      if (left > 0) kernel.at(kernel.nowMs + process.random.below(4), work[process.random.below(8)], left - 1)
    })
  )
  for (const handler of work) kernel.at(0, handler, 200)
  kernel.run({})
  return kernel.log.hash()
}

if (import.meta.main) console.log(scatter(Number(process.argv[2])))
