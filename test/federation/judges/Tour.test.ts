// The tour on real control planes: two members and a host of ours in CI; with FEDERATION_TOUR=long three members, and then a real
// kube-apiserver as host too (about four minutes):
//   FEDERATION_TOUR=long npx vitest run --config test/vitest.config.ts test/federation/judges
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { FederationTour, shortSteps, tourSteps } from "./FederationTour.ts"
import { startRig } from "./Rig.ts"

const isLong = process.env["FEDERATION_TOUR"] === "long"

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kubectl"
)("the federation's tour", (programs) => {
  for (const host of isLong ? (["ours", "real"] as const) : (["ours"] as const)) {
    it(`holds on a host that is ${host}`, { timeout: 900_000 }, async () => {
      const rig = await startRig(programs, host, isLong ? ["east", "north", "west"] : ["east", "west"])
      const tour = new FederationTour(rig)
      try {
        for (const step of isLong ? tourSteps : shortSteps) {
          await tour[step]().catch((error: unknown) => {
            throw new Error(`step ${step}: ${error instanceof Error ? error.stack : String(error)}`)
          })
        }
        assert.isAtLeast(tour.commands, isLong ? 40 : 15)
      } finally {
        tour.end()
        await rig.stop()
      }
    })
  }
})
