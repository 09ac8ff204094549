// The configurations that a run swaps: each turn another one, every kind of change among them, all of them accepted by the gateway.
import { assert, describe, it } from "vitest"
import { machineClockwork } from "#kube"
import { ConfigStore, noFeatures } from "#gateway"
import { parse } from "yaml"
import { Effect, Schema } from "effect"
import { gatewayManifest } from "../../../scenarios/front/backends/GatewayManifest.ts"
import { changesWith } from "../../../scenarios/front/backends/GatewaySwaps.ts"
import { Front } from "../../../scenarios/front/Front.ts"
import { makeFrontCertificates } from "../../../scenarios/front/upstream/FrontCertificates.ts"

const front = Schema.decodeUnknownSync(Front)({
  limits: [{ name: "few", qps: 20, burst: 20 }],
  phases: [
    {
      name: "one",
      kind: "measure",
      load: [{ name: "clients", shape: { qpsLoad: { qps: 1 } }, duration: "1s", mix: [{ op: "get" }] }]
    }
  ]
})

describe("the configurations that a run swaps", () => {
  for (const servers of [1, 3]) {
    it(`are all accepted, and of every kind, with ${servers} behind`, async () => {
      const certificates = await Effect.runPromise(makeFrontCertificates(front))
      const ports = Array.from({ length: servers }, (_, at) => 1000 + at)
      const store = new ConfigStore({ clockwork: machineClockwork, features: noFeatures })
      const texts = new Set<string>()
      let first: Record<string, unknown> = {}
      const moving = new Set<string>()
      for (let turn = 0; turn < 4 * changesWith(servers); turn++) {
        const text = gatewayManifest({ front, certificates, upstreamCa: certificates.ca, upstreamPorts: ports, turn })
        texts.add(text)
        const object = parse(text) as { spec: Record<string, unknown> }
        if (turn === 0) first = object.spec
        for (const [field, value] of Object.entries(object.spec)) {
          if (JSON.stringify(value) !== JSON.stringify(first[field])) moving.add(field)
        }
        store.put(parse(text))
        store.flush()
        const [verdict] = store.verdicts()
        assert.strictEqual(verdict?.reason, "Accepted", `turn ${turn}: ${verdict?.message}`)
      }
      assert.strictEqual(texts.size, 4 * changesWith(servers))
      const always = ["authentication", "balancing", "clientConfig", "dispatchPolicies", "flowControl", "healthCheck"]
      assert.includeMembers([...moving], [...always, "retry", "secureServing", "servers", "timeouts"])
      assert.isAtLeast(changesWith(servers), servers === 1 ? 10 : 13)
    })
  }
})
