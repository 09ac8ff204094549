// Alibaba's cluster-trace-gpu-v2023: its lists of pods (openb_pod_list_*.csv) as steps for the simulated cluster.
// Owns the columns and what they mean here; refuses to fetch the trace, which the user brings.
import { Schema } from "effect"
import type { ChurnStep } from "./ChurnStep.ts"

const columns = [
  "name",
  "cpu_milli",
  "memory_mib",
  "num_gpu",
  "gpu_milli",
  "gpu_spec",
  "qos",
  "pod_phase",
  "creation_time",
  "deletion_time",
  "scheduled_time"
] as const
type Column = (typeof columns)[number]
type Row = Readonly<Record<Column, string>>

/** A list that cannot be read; `message` names the line, the column and the rule. */
export class OpenbInvalid extends Schema.TaggedError<OpenbInvalid>()("OpenbInvalid", { message: Schema.String }) {}

export interface OpenbOptions {
  readonly namespace?: string
  /** Seconds of the trace in one second of the world; default 1. */
  readonly speed?: number
  readonly startMs?: number
}

/** The label of a pod that may only go to some models of GPU, and what its nodes carry. */
export const GPU_MODEL_LABEL = "sim.kubewharf.io/gpu-model"
const GPU = "nvidia.com/gpu"

/** Reads a list into creations and deletions in the order of time; throws OpenbInvalid. The trace's first second is the start. */
export const parseOpenb = (text: string, options: OpenbOptions = {}): ReadonlyArray<ChurnStep> => {
  const [header = "", ...lines] = text.split(/\r?\n/)
  const names = header.split(",").map((name) => name.trim())
  const places = columns.map((name) => names.indexOf(name))
  for (const [at, place] of places.entries())
    if (place < 0) throw new OpenbInvalid({ message: `line 1 has no column ${columns[at]}` })
  const rows = lines.flatMap((line, index) => (line.trim() === "" ? [] : [rowOf(line, places, index + 2)]))
  const first = rows.reduce((least, { row }) => Math.min(least, Number(row.creation_time)), Number.POSITIVE_INFINITY)
  return rows.flatMap(({ line, row }) => stepsOf(row, line, first, options)).sort((a, b) => a.atMs - b.atMs)
}

const rowOf = (
  text: string,
  places: ReadonlyArray<number>,
  line: number
): { readonly row: Row; readonly line: number } => {
  const cells = text.split(",")
  // SAFETY: one entry for each column.
  return { line, row: Object.fromEntries(columns.map((name, at) => [name, cells[places[at]] ?? ""])) as Row }
}

const whole = (row: Row, column: Column, line: number): number => {
  const text = row[column]
  const value = Number(text)
  if (text === "" || !Number.isFinite(value) || value < 0)
    throw new OpenbInvalid({ message: `line ${line}, column ${column}: must be a number, not ${JSON.stringify(text)}` })
  return value
}

const stepsOf = (row: Row, line: number, first: number, options: OpenbOptions): ReadonlyArray<ChurnStep> => {
  const { namespace = "openb", speed = 1, startMs = 0 } = options
  const time = (column: Column): number => startMs + ((whole(row, column, line) - first) * 1000) / speed
  const of = { apiVersion: "v1", resource: "pods", namespace, name: row.name }
  const gpus = whole(row, "num_gpu", line)
  const models = row.gpu_spec.split("|").filter((model) => model !== "")
  const create: ChurnStep = {
    atMs: time("creation_time"),
    verb: "create",
    of,
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: row.name,
        namespace,
        labels: { "sim.kubewharf.io/qos": row.qos },
        annotations: { "sim.kubewharf.io/gpu-milli": row.gpu_milli }
      },
      spec: {
        containers: [
          {
            name: "main",
            image: "registry.k8s.io/pause:3.10",
            resources: {
              requests: {
                cpu: `${whole(row, "cpu_milli", line)}m`,
                memory: `${whole(row, "memory_mib", line)}Mi`,
                ...(gpus > 0 ? { [GPU]: String(gpus) } : {})
              },
              ...(gpus > 0 ? { limits: { [GPU]: String(gpus) } } : {})
            }
          }
        ],
        ...(models.length === 0 ? {} : { affinity: gpuAffinity(models) })
      }
    }
  }
  return row.deletion_time === "" ? [create] : [create, { atMs: time("deletion_time"), verb: "delete", of }]
}

const gpuAffinity = (values: ReadonlyArray<string>) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: GPU_MODEL_LABEL, operator: "In", values }] }]
    }
  }
})
