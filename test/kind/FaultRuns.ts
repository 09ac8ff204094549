// A real kube-apiserver on our store under faults at seeded moments: SIGKILL and SIGSTOP of both, a slow disk, cut and stalled networks,
// compactions. Prints one row a seed and ends with 1 if an acknowledged write was lost, a history is not linearizable, or an informer of
// @kubernetes/client-node ended wrong. Run: `node test/kind/FaultRuns.ts [seconds a seed] [seed …]` (60 s, seeds 1 to 3).
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { faultRun } from "./faults/FaultRun.ts"

const [seconds = 60, ...given] = process.argv.slice(2).map(Number)
const seeds = given.length === 0 ? [1, 2, 3] : given

let wrong = 0
console.log(
  "| Seed | Operations | Answered | Unknown | Histories not decided | Faults | Informers' events, restarts | Wrong |"
)
console.log("|---|---|---|---|---|---|---|---|")
for (const seed of seeds) {
  const folder = mkdtempSync(join(tmpdir(), "wharf-faults-"))
  try {
    const told = await faultRun(folder, seed, seconds * 1000)
    const faults = Object.entries(told.faults).map(([name, count]) => `${count} × ${name}`)
    wrong += told.problems.length
    console.log(
      `| ${seed} | ${told.operations} | ${told.acknowledged} | ${told.unknown} | ${told.undecided} | ${faults.join(", ")} | ${told.informerEvents}, ${told.informerRestarts} | ${told.problems.join("; ") || "nothing"} |`
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
process.exit(wrong === 0 ? 0 : 1)
