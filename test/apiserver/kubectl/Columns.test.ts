// The columns of every kind's table beside those of a real kube-apiserver: names, order, types, formats and priorities.
// Descriptions are not compared: no kubectl shows them, and they are prose that is not ours.
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { startApiServer } from "../../kube/RealApiServer.ts"
import { tableOf } from "../../../core/apiserver/http/Tables.ts"
import { builtInDefinitions } from "../../../core/apiserver/resources/BuiltIns.ts"
import { defaultResourcesContext } from "../../../core/apiserver/resources/Context.ts"
import { type ColumnDefinition, columnsOf } from "./TableColumns.ts"

const facts = ({ format, name, priority, type }: ColumnDefinition): ColumnDefinition => ({
  name,
  type,
  format,
  priority
})

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
        // SAFETY: column definitions are what tables are made of here.
        const ours = tableOf(definition, [], {}, form).columnDefinitions as ReadonlyArray<ColumnDefinition>
        assert.deepStrictEqual(ours.map(facts), columns.map(facts), name)
        compared++
      }
      assert.isAtLeast(compared, 60)
    } finally {
      await server.stop()
    }
  })
})
