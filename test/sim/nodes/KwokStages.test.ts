// kwok's own Stage files and the answers that kwok's tests expect of them, from the Go module that holds both: ours must be the same.
import { execFileSync } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"
import { parse } from "yaml"
import type { KubeObject } from "#kube"
import { parseStages, possibleStages, type PlaceFunctions, type Stage, type StagePlace } from "#sim"

const NOW_MS = Date.UTC(2006, 0, 2, 15, 4, 5)
const MODULE = "sigs.k8s.io/kwok@v0.8.0"

const stagesFolder = (): string | undefined => {
  try {
    const cache = execFileSync("go", ["env", "GOMODCACHE"], { stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim()
    const folder = join(cache, MODULE, "kustomize/stage")
    return existsSync(folder) ? folder : undefined
  } catch {
    return undefined
  }
}

const shown = (value: unknown): string => (value === undefined ? "<nil>" : JSON.stringify(value))
const call =
  (name: string) =>
  (...args: ReadonlyArray<unknown>) =>
    args.length === 0 ? `<${name}>` : `<${name}(${args.map(shown).join(", ")})>`
const calls =
  (name: string) =>
  (...args: ReadonlyArray<unknown>) =>
    [0, 1].map((at) => `<${at} of ${args.length === 0 ? name : `${name}(${args.map(shown).join(", ")})`}>`)

const named: PlaceFunctions = () => ({
  ...Object.fromEntries(
    ["NodeIP", "NodeName", "NodePort", "PodIP", "NodeIPWith", "PodIPWith", "Now", "now", "Version"].map((name) => [
      name,
      call(name)
    ])
  ),
  NodeIPsWith: calls("NodeIPsWith"),
  PodIPsWith: calls("PodIPsWith")
})

const place: StagePlace = {
  nowMs: NOW_MS,
  now: "<Now>",
  nodeName: "",
  nodeIp: "",
  nodeIps: [],
  nodePort: 0,
  podIp: () => ""
}

/** What a stage would do to an object, in the words of kwok's tests. */
const described = (stage: Stage, object: KubeObject): unknown => {
  const delay = stage.delay(object, NOW_MS)
  const nanoseconds = (ms: number): number => Math.round(ms * 1e6)
  const next = stage.steps.flatMap((step): ReadonlyArray<unknown> => {
    if (step.kind === "event") return [{ kind: "event", ...step.event }]
    if (step.kind === "delete") return [{ kind: "delete" }]
    if (step.kind === "patch")
      return [
        {
          kind: "patch",
          subresource: step.subresource,
          type: "application/merge-patch+json",
          data: step.body(object, place)
        }
      ]
    return []
  })
  if (stage.immediateNextStage) next.push({ kind: "immediate" })
  const range = delay && (delay.toMs <= delay.fromMs ? [delay.toMs] : [delay.fromMs, delay.toMs])
  return { ...(range && { delay: range.map(nanoseconds) }), next, stage: stage.name, weight: stage.weight(object) }
}

describe("kwok's stages", () => {
  const folder = stagesFolder()
  if (folder === undefined) {
    it(`needs the Go module ${MODULE}`, (context) => {
      const message = `go mod download ${MODULE} brings the stages that this test reads`
      if (process.env["CI"] === "true") throw new Error(message)
      process.stderr.write(`skipped: ${message}\n`)
      context.skip(message)
    })
    return
  }
  const inputs = globSync("{node,pod}/*/testdata/*.input.yaml", { cwd: folder }).sort()
  assert.isAbove(inputs.length, 10)
  for (const input of inputs) {
    it(`does to ${input} what kwok does`, () => {
      const files = globSync("*.yaml", { cwd: join(folder, dirname(input), "..") }).filter(
        (name) => !name.startsWith("kustomization")
      )
      const object: KubeObject = parse(readFileSync(join(folder, input), "utf8"))
      const stages = files
        .sort()
        .flatMap((name) => parseStages(readFileSync(join(folder, dirname(input), "..", name), "utf8"), named))
        .filter(({ kind }) => kind === object.kind)
        .map(({ stage }) => stage)
      const expected = parse(readFileSync(join(folder, input.replace(".input.", ".output.")), "utf8"))
      const got = possibleStages(stages, object).map((stage) => described(stage, object))
      assert.deepStrictEqual(JSON.parse(JSON.stringify(got)), expected.stages)
    })
  }
})
