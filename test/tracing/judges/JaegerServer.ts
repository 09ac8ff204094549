// A stock Jaeger as a process: as a query server over somebody's remote storage, or all in one with its own memory and OTLP receivers.
// Owns its configuration and its life; refuses to judge what it answers.
import type { Parsed } from "../out/Served.ts"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stringify } from "yaml"
import { freePort } from "../../FreePort.ts"
import { end, start } from "../../kube/RealApiServer.ts"

export interface JaegerServer {
  /** Of its query API. */
  readonly url: string
  readonly otlpGrpc: string
  readonly otlpHttp: string
  readonly stop: () => Promise<void>
}

interface Ports {
  readonly http: number
  readonly grpc: number
  readonly otlpGrpc: number
  readonly otlpHttp: number
}

const configOf = (remote: number | undefined, { grpc, http, otlpGrpc, otlpHttp }: Ports) => {
  const at = (port: number) => ({ endpoint: `127.0.0.1:${port}` })
  const backend =
    remote === undefined ? { memory: { max_traces: 10_000 } } : { grpc: { ...at(remote), tls: { insecure: true } } }
  const isCollector = remote === undefined
  return {
    service: {
      extensions: ["jaeger_storage", "jaeger_query"],
      pipelines: {
        traces: isCollector
          ? { receivers: ["otlp"], exporters: ["jaeger_storage_exporter"] }
          : { receivers: ["nop"], exporters: ["nop"] }
      },
      telemetry: { metrics: { level: "none" }, logs: { level: "error" } }
    },
    extensions: {
      jaeger_storage: { backends: { ours: backend } },
      jaeger_query: { storage: { traces: "ours" }, http: at(http), grpc: at(grpc) }
    },
    receivers: isCollector ? { otlp: { protocols: { grpc: at(otlpGrpc), http: at(otlpHttp) } } } : { nop: null },
    exporters: isCollector ? { jaeger_storage_exporter: { trace_storage: "ours" } } : { nop: null }
  }
}

const answers = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

/** Starts it; done when it answers. `remote` is the port of a remote storage, without which it keeps traces itself. */
export const startJaeger = async (program: string, remote?: number): Promise<JaegerServer> => {
  const ports = {
    http: await freePort(),
    grpc: await freePort(),
    otlpGrpc: await freePort(),
    otlpHttp: await freePort()
  }
  const folder = mkdtempSync(join(tmpdir(), "wharf-jaeger-"))
  const file = join(folder, "config.yaml")
  writeFileSync(file, stringify(configOf(remote, ports)))
  const child = start(program, [["--config", file]])
  const stop = async (): Promise<void> => {
    await end(child)
    rmSync(folder, { recursive: true, force: true })
  }
  const url = `http://127.0.0.1:${ports.http}`
  while (!(await answers(`${url}/api/services`))) {
    if (child.exitCode !== null) {
      await stop()
      throw new Error(`jaeger ended with ${child.exitCode} before it answered`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    url,
    otlpGrpc: `http://127.0.0.1:${ports.otlpGrpc}`,
    otlpHttp: `http://127.0.0.1:${ports.otlpHttp}`,
    stop
  }
}

/** A trace of the old query API with everything that has no order in one order. */
export const normalised = (trace: Parsed): unknown => {
  const byKey = (pairs: ReadonlyArray<Parsed>) => pairs.map((pair) => JSON.stringify(pair)).sort()
  const spans = trace.spans.map((span: Parsed) => ({
    traceID: span.traceID,
    spanID: span.spanID,
    operationName: span.operationName,
    startTime: span.startTime,
    duration: span.duration,
    service: trace.processes[span.processID].serviceName,
    references: byKey(span.references),
    tags: byKey(span.tags),
    logs: span.logs.map(({ fields, timestamp }: Parsed) => ({ timestamp, fields: byKey(fields) })),
    warnings: span.warnings ?? []
  }))
  return { traceID: trace.traceID, spans: spans.sort((a: Parsed, b: Parsed) => (a.spanID < b.spanID ? -1 : 1)) }
}
