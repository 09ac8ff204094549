// Plays the tour's longer form and prints every difference; with TABLE=FILE it also writes the table of all commands.
// Run it by hand: `node test/apiserver/kubectl/WriteTour.ts [SCENE...]`.
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset, type ProgramName } from "#kind"
import { startRig } from "./Rig.ts"
import { scenes } from "./Scenes.ts"
import { playAll } from "./Tour.ts"
import { tourTable } from "./TourTable.ts"

const path = async (name: ProgramName): Promise<string> =>
  (await Effect.runPromise(findAsset(name).pipe(Effect.provide(NodeServices.layer)))).path

const asked = process.argv.slice(2)
const chosen = asked.length === 0 ? scenes : scenes.filter(({ name }) => asked.includes(name))
const rig = await startRig({
  etcd: await path("etcd"),
  "kube-apiserver": await path("kube-apiserver"),
  "kube-controller-manager": await path("kube-controller-manager"),
  kubectl: await path("kubectl")
})
try {
  const began = Date.now()
  const compared = await playAll(rig, chosen, { long: true, together: 4 })
  for (const { accepted, command, ours, real, same, scene } of compared) {
    if (same || accepted !== undefined) continue
    const [own, theirs] = [ours.split("\n"), real.split("\n")]
    console.log(`\n## ${scene}: ${command}`)
    for (const line of theirs.filter((one) => !own.includes(one))) console.log(`  real ${line}`)
    for (const line of own.filter((one) => !theirs.includes(one))) console.log(`  ours ${line}`)
    if ([...own].sort().join() === [...theirs].sort().join()) console.log("  (the order of lines)")
  }
  const same = compared.filter((one) => one.same).length
  const known = compared.filter((one) => one.accepted !== undefined).length
  console.log(
    `\n${compared.length} commands: ${same} same, ${known} accepted, ${compared.length - same - known} different`
  )
  console.log(`${Math.round((Date.now() - began) / 1000)} s`)
  const file = process.env["TABLE"]
  if (file !== undefined) writeFileSync(file, tourTable(compared))
} finally {
  await rig.stop()
}
process.exit(0)
