// The gateway of a benchmark in a process of its own: one cluster with one endpoint.
import { readCertificates } from "./Certificates.ts"
import { answers } from "./Control.ts"
import { clusterOf, Gateway } from "../path/Rig.ts"
import type { Pki } from "../path/Pki.ts"

const [, , folder = "", upstream = ""] = process.argv
const { ca, server } = readCertificates(folder)
const gateway = await Gateway.open({ ...server, ca }, { maxConcurrentStreams: 10_000 })
const cluster = clusterOf("a.example", [`https://127.0.0.1:${upstream}`], { ca } as Pki, {
  health: { intervalMs: 5000 },
  authentication: { tokenSuccessTtlMs: 600_000 }
})
gateway.snapshots.set(cluster)
await gateway.ready()
answers({
  memory: () => {
    for (let turn = 0; turn < 4; turn++) globalThis.gc?.()
    return process.memoryUsage()
  }
})
process.send?.(gateway.port)
process.on("disconnect", () => process.exit(0))
