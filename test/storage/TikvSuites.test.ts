// A few of kube-apiserver's storage functions on TiKV, seen from a node that follows. All of them, and etcd's own suite, on one node
// and on three: `node test/storage/tikv/Suites.ts`, whose first lines say how.
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../Judges.ts"
import { outputOf } from "./GoSuite.ts"
import { EtcdOnTikv } from "./tikv/EtcdOnTikv.ts"
import { runApiserverSuite } from "./tikv/Suites.ts"

const FUNCTIONS = ["GuaranteedUpdate", "WatchFromNonZero"]

describeWith(
  "apiserver-storage.test",
  "tikv-testbed",
  "pd-server",
  "curl"
)("kube-apiserver's storage functions on TiKV", (programs) => {
  let store: EtcdOnTikv | undefined
  beforeAll(async () => {
    store = await EtcdOnTikv.start(programs, 2)
  })
  afterAll(() => store?.destroy())

  it("pass on a follower", { timeout: 120_000 }, async () => {
    assert(store !== undefined)
    const pattern = `^TestStore$/^(${FUNCTIONS.join("|")})$`
    const verdicts = await runApiserverSuite(programs["apiserver-storage.test"], store.binary, pattern)
    assert.deepStrictEqual(
      verdicts.failed.map((name) => `${name}: ${outputOf(verdicts, name)}`),
      []
    )
    assert.includeMembers(
      [...verdicts.passed],
      FUNCTIONS.map((name) => `TestStore/${name}`)
    )
  })
})
