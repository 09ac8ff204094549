// Objects from scheduler_perf's template files: YAML with Go's text/template in it, rendered for an index.
// Owns the functions that such templates call and the standard pod and node; refuses to change what a template says.
// Source: kubernetes test/integration/scheduler_perf, getTemplateFuncs, makeBasePod, makeBaseNode.
import { Effect, FileSystem, Path, Schema } from "effect"
import { parse } from "yaml"
import { isJsonObject, type Json, type KubeObject } from "#kube"
import { GoTemplate, type TemplateFunctions } from "#sim"

/** A template file that cannot be used. */
export class PerfTemplateInvalid extends Schema.TaggedError<PerfTemplateInvalid>()("PerfTemplateInvalid", {
  file: Schema.String,
  rule: Schema.String
}) {
  override get message(): string {
    return `template ${this.file}: ${this.rule}`
  }
}

/** What a template is rendered for: `Index` and `Count` beside the parameters of its operation. */
export type ObjectTemplate = (index: number, count: number, params?: Readonly<Record<string, unknown>>) => KubeObject

const sum = (values: ReadonlyArray<unknown>): number => values.reduce<number>((total, one) => total + Number(one), 0)
const product = (values: ReadonlyArray<unknown>): number => values.reduce<number>((all, one) => all * Number(one), 1)

const functions: TemplateFunctions = {
  AddFloat: (...values) => sum(values),
  AddInt: (...values) => Math.trunc(sum(values)),
  DivideFloat: (a, b) => Number(a) / Number(b),
  DivideInt: (a, b) => Math.trunc(Number(a) / Number(b)),
  Int: (value) => Math.trunc(Number(value)),
  JSON: (value) => JSON.stringify(value ?? null),
  Mod: (a, b) => Math.trunc(Number(a)) % Math.trunc(Number(b)),
  MultiplyFloat: (...values) => product(values),
  MultiplyInt: (...values) => Math.trunc(product(values)),
  SubtractFloat: (a, b) => Number(a) - Number(b),
  SubtractInt: (a, b) => Math.trunc(Number(a) - Number(b))
}

const objectOf = (file: string, text: string): KubeObject => {
  const data: unknown = parse(text)
  // SAFETY: what YAML gives is JSON, and an object of it is what the API server is asked to judge.
  if (isJsonObject(data as Json)) return data as KubeObject
  throw new PerfTemplateInvalid({ file, rule: "must be one object" })
}

/** Compiles a template's text; one without actions is parsed once. */
export const compileTemplate = (file: string, text: string): ObjectTemplate => {
  if (!text.includes("{{")) {
    const fixed = objectOf(file, text)
    return () => fixed
  }
  const template = new GoTemplate(text, functions)
  return (index, count, params = {}) => objectOf(file, template.render({ ...params, Index: index, Count: count }))
}

/** Reads templates below a folder, each once. */
export const templateReader = Effect.fnUntraced(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const known = new Map<string, ObjectTemplate>()
  return Effect.fnUntraced(function* (name: string) {
    const file = path.resolve(directory, name)
    const before = known.get(file)
    if (before !== undefined) return before
    const text = yield* files
      .readFileString(file)
      .pipe(Effect.mapError(() => new PerfTemplateInvalid({ file, rule: "cannot be read" })))
    const compiled = yield* Effect.try({
      try: () => compileTemplate(file, text),
      catch: (error) => new PerfTemplateInvalid({ file, rule: error instanceof Error ? error.message : String(error) })
    })
    known.set(file, compiled)
    return compiled
  })
})
export type TemplateReader = Effect.Success<ReturnType<typeof templateReader>>

const resources = { cpu: "100m", memory: "500Mi" }

/** The pod of operations that name no template. */
export const basePod: ObjectTemplate = () => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { generateName: "pod-" },
  spec: {
    containers: [
      {
        name: "pause",
        image: "registry.k8s.io/pause:3.10.2",
        ports: [{ containerPort: 80 }],
        resources: { limits: resources, requests: resources }
      }
    ]
  }
})

const capacity = { pods: "110", cpu: "4", memory: "32Gi" }

/** The node of operations that name no template, with names that begin with `prefix`. */
export const baseNode =
  (prefix: string): ObjectTemplate =>
  () => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { generateName: prefix },
    status: { capacity, allocatable: capacity, phase: "Running", conditions: [{ type: "Ready", status: "True" }] }
  })
