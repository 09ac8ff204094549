// The columns of every kind's table, with all that is said of them, beside those of a real kube-apiserver.
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { startApiServer } from "../../kube/RealApiServer.ts"
import { tableOf } from "../../../core/apiserver/http/Tables.ts"
import { builtInDefinitions } from "../../../core/apiserver/resources/BuiltIns.ts"
import { defaultResourcesContext } from "../../../core/apiserver/resources/Context.ts"
import { columnsOf } from "./GenerateColumns.ts"

describeWith("kube-apiserver", "etcd")("a real kube-apiserver's tables", (programs) => {
  it("have the columns of ours", async () => {
    const server = await startApiServer(programs)
    try {
      const theirs = await columnsOf(server.call)
      const form = { includeObject: "None", apiVersion: "meta.k8s.io/v1", nowMs: 0 } as const
      let compared = 0
      for (const definition of builtInDefinitions(defaultResourcesContext)) {
        const name = `${definition.group}/${definition.version}/${definition.resource}`
        const columns = theirs.get(name)
        if (columns === undefined) continue
        assert.deepStrictEqual(tableOf(definition, [], {}, form).columnDefinitions, columns, name)
        compared++
      }
      assert.isAtLeast(compared, 60)
    } finally {
      await server.stop()
    }
  })
})
