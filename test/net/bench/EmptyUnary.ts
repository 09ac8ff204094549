// The price of an empty unary call: our server beside @grpc/grpc-js and node:http2; then what our own client costs.
// Run: node test/net/bench/EmptyUnary.ts [seconds per turn] [turns]
import { fork } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { compare, shapes } from "./Compare.ts"

const seconds = Number(process.argv[2] ?? 2)
const turns = Number(process.argv[3] ?? 3)

const requestFile = join(mkdtempSync(join(tmpdir(), "empty-unary-")), "request")
writeFileSync(requestFile, Buffer.alloc(5))
const asks = ["-d", requestFile, "-H", "content-type: application/grpc", "-H", "te: trailers"]
const contestants = ["ours", "grpc-js", "node:http2"].map((name) => ({ name, asks, path: "/test.Bench/Empty" }))

await compare(new URL("EmptyServer.ts", import.meta.url), contestants, seconds, turns)
for (const shape of shapes) {
  const sizes = [shape.connections, shape.streams, seconds].map(String)
  const child = fork(new URL("ClientCost.ts", import.meta.url), sizes)
  await new Promise((resolve) => child.once("exit", resolve))
}
