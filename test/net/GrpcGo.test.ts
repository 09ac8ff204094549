// grpc-go, what etcd's clients and kube-apiserver are made of, as the client of our server. Its source lies in grpcgo/.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "vitest"
import { startEcho } from "./EchoService.ts"
import { run, tool } from "./RealPrograms.ts"

it("grpc-go calls, streams, compresses, keeps alive and reads our statuses", async (context) => {
  const go = tool("go", context)
  const folder = mkdtempSync(join(tmpdir(), "net-go-"))
  const client = join(folder, "client")
  const cwd = new URL("grpcgo", import.meta.url).pathname
  const built = await run(go, ["build", "-o", client, "."], { cwd, timeoutMs: 300_000 })
  assert.equal(built.code, 0, built.text)
  const fixture = await startEcho()
  try {
    for (const check of ["echoes", "statuses", "streams", "keepalives"]) {
      const { text } = await run(client, [`127.0.0.1:${fixture.listening.port}`, check])
      assert.equal(text, "ok\n", check)
    }
  } finally {
    await fixture.close()
    rmSync(folder, { recursive: true })
  }
}, 400_000)
