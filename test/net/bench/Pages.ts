// The price of a page of a kilobyte over HTTP/2: an exchange of ours beside node:http2, and beside our own empty gRPC call.
// Run: node test/net/bench/Pages.ts [seconds per turn] [turns]
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { compare } from "./Compare.ts"

const seconds = Number(process.argv[2] ?? 2)
const turns = Number(process.argv[3] ?? 3)

const requestFile = join(mkdtempSync(join(tmpdir(), "pages-")), "request")
writeFileSync(requestFile, Buffer.alloc(5))
const page = { asks: ["-H", "accept: application/json"], path: "/api/v1/namespaces/default/pods/some-pod" }
const call = ["-d", requestFile, "-H", "content-type: application/grpc", "-H", "te: trailers"]

await compare(
  new URL("PageServer.ts", import.meta.url),
  [
    { name: "ours", ...page },
    { name: "our empty call", asks: call, path: "/test.Bench/Empty" },
    { name: "node:http2", ...page }
  ],
  seconds,
  turns
)
