// Plays tours by hand and prints every difference: `node test/front/PlayTour.ts tenancy|gateway [SCENE…]`; LONG=1 plays the long scenes.
// With TABLE=FILE it writes the table of all commands.
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset, type ProgramName } from "#kind"
import type { Accepted } from "../apiserver/kubectl/Accepted.ts"
import { playAll, type Scene } from "../apiserver/kubectl/Tour.ts"
import { tourTable, type TourWords } from "../apiserver/kubectl/TourTable.ts"
import { acceptedOfGateways, gatewayScenes, startGatewaySides } from "../gateway/judges/GatewayTour.ts"
import { acceptedOfTenants, startTenantSides, tenantScenes } from "../tenancy/judges/TenantTour.ts"
import type { FrontSides } from "./Sides.ts"
import type { UpstreamPrograms } from "./Upstream.ts"

interface Tour {
  readonly way: string
  readonly start: (programs: UpstreamPrograms & { readonly kubectl: string }) => Promise<FrontSides>
  readonly scenes: ReadonlyArray<Scene>
  readonly accepted: ReadonlyArray<Accepted>
}

const tours: Readonly<Record<string, Tour>> = {
  gateway: { way: "gateway", start: startGatewaySides, scenes: gatewayScenes, accepted: acceptedOfGateways },
  tenancy: { way: "tenancy", start: startTenantSides, scenes: tenantScenes, accepted: acceptedOfTenants }
}

const titles: Readonly<Record<string, string>> = {
  gateway: "The kubectl tour through the gateway",
  tenancy: "The kubectl tour as a tenant"
}

const wordsOf = (way: string): TourWords => ({
  title: titles[way] ?? way,
  about: [
    "Every command below was run by kubectl 1.37.2 on two fresh clusters: directly on one, as its owner, and through",
    `\`wharf serve ${way}\` on the other. Each has a real kube-apiserver and kube-controller-manager 1.37.2 on etcd, two hollow nodes and`,
    "kwok as their kubelet. What was said was compared line by line, exit codes included, after times, uids, resource versions, random",
    `names, addresses and ports were made alike. \`LONG=1 TABLE=FILE node test/front/PlayTour.ts ${way}\` plays it again.`
  ]
})

const [front = "", ...asked] = process.argv.slice(2)
const tour = tours[front]
if (tour === undefined) throw new Error(`which front: ${Object.keys(tours).join(", ")}`)

const path = async (name: ProgramName): Promise<string> =>
  (await Effect.runPromise(findAsset(name).pipe(Effect.provide(NodeServices.layer)))).path

const sides = await tour.start({
  etcd: await path("etcd"),
  "kube-apiserver": await path("kube-apiserver"),
  "kube-controller-manager": await path("kube-controller-manager"),
  kwok: await path("kwok"),
  kubectl: await path("kubectl")
})
try {
  const began = Date.now()
  const chosen = asked.length === 0 ? tour.scenes : tour.scenes.filter(({ name }) => asked.includes(name))
  const options = { long: process.env["LONG"] !== undefined, together: 4, accepted: tour.accepted }
  const compared = await playAll(sides, chosen, options)
  for (const { accepted, command, ours, real, same, scene } of compared) {
    if (same || accepted !== undefined) continue
    const [own, theirs] = [ours.split("\n"), real.split("\n")]
    console.log(`\n## ${scene}: ${command}`)
    for (const line of theirs.filter((one) => !own.includes(one)).slice(0, 12)) console.log(`  direct ${line}`)
    for (const line of own.filter((one) => !theirs.includes(one)).slice(0, 12)) console.log(`  behind ${line}`)
    if ([...own].toSorted().join() === [...theirs].toSorted().join()) console.log("  (the order of lines)")
  }
  const same = compared.filter((one) => one.same).length
  const known = compared.filter((one) => one.accepted !== undefined).length
  console.log(
    `\n${compared.length} commands: ${same} same, ${known} accepted, ${compared.length - same - known} different`
  )
  console.log(`${Math.round((Date.now() - began) / 1000)} s`)
  const file = process.env["TABLE"]
  if (file !== undefined) writeFileSync(file, tourTable(compared, wordsOf(tour.way)))
} finally {
  await sides.stop()
}
process.exit(0)
