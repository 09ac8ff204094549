// Go's net/http, what kubectl and client-go are made of, as the client of our server. Its source lies in httpgo/.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "vitest"
import { makeAuthority } from "./Certificates.ts"
import { startEcho } from "./EchoService.ts"
import { exchangeService, newLog } from "./ExchangeService.ts"
import { run, tool } from "./RealPrograms.ts"

it("net/http streams, cancels, is refused and known by its certificate over both protocols", async (context) => {
  const go = tool("go", context)
  const authority = makeAuthority()
  const client = join(authority.folder, "client")
  const cwd = new URL("httpgo", import.meta.url).pathname
  const built = await run(go, ["build", "-o", client, "."], { cwd, timeoutMs: 300_000 })
  assert.equal(built.code, 0, built.text)
  const { caFile } = authority
  const tls = { ...authority.sign("server", "server"), caFile, clientAuth: "optional" } as const
  const mine = authority.sign("mine", "gopher/O=burrow")
  const fixture = await startEcho({ tls, exchange: exchangeService(newLog()) })
  try {
    const address = `127.0.0.1:${fixture.listening.port}`
    const { text } = await run(client, [address, caFile, mine.certFile, mine.keyFile])
    assert.equal(text, "ok\n")
    for (let turn = 0; turn < 200 && fixture.listening.stats().streamsActive > 0; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    assert.equal(fixture.listening.stats().streamsActive, 0)
  } finally {
    await fixture.close()
    rmSync(authority.folder, { recursive: true })
  }
}, 400_000)
