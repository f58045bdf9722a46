// Expressions to SQL.

import { unsupported } from "../errors.ts";
import type { CallExpression, Expression } from "../plan/expression.ts";
import type { Columns, EmitContext, Emitter } from "./context.ts";
import { sqlFunctions } from "./functions/index.ts";
import { emitPredicateCall } from "./predicates.ts";
import { runtimeCall } from "./runtime-call.ts";
import { literalSql, plain, sql, type Sql } from "./sql.ts";

export function createEmitter(context: EmitContext, columns: Columns): Emitter {
  const emitter: Emitter = {
    context,
    columns,
    value: (expression) => emitValue(expression, emitter),
    predicate: (expression) => {
      if (expression.kind === "call") {
        const lean = emitPredicateCall(expression, emitter);
        if (lean !== undefined) return lean;
      }
      return emitter.value(expression).text;
    },
  };
  return emitter;
}

function emitValue(expression: Expression, emitter: Emitter): Sql {
  switch (expression.kind) {
    case "literal":
      return literalSql(expression.type, expression.value);
    case "column": {
      const found = emitter.columns.get(expression.column.id);
      if (found === undefined) throw unsupported(`The column ${expression.column.name} at this place`);
      return found;
    }
    case "call":
      return emitCall(expression, emitter);
    case "scalarQuery": {
      const query = `(${emitter.context.emitQuery(expression.query, expression.column.id)})`;
      return sql(expression.type, expression.type === "string" ? `coalesce(${query}, '')` : query);
    }
    case "inQuery": {
      const value = plain(emitter.value(expression.value));
      const query = emitter.context.emitQuery(expression.query, expression.column.id);
      if (!expression.ignoreCase) return sql("bool", `coalesce(${value} IN (${query}), false)`);
      return sql("bool", `coalesce(lower(${value}) IN (SELECT lower(v) FROM (${query}) AS t(v)), false)`);
    }
    default:
      throw unsupported(`${expression.name}() at this place`, expression.span);
  }
}

function emitCall(expression: CallExpression, emitter: Emitter): Sql {
  const emit = sqlFunctions[expression.name];
  const args = expression.args.map((arg) => emitter.value(arg));
  const native = emit?.(args, expression, emitter);
  return native ?? runtimeCall(expression.name, args, expression.type, emitter.context);
}
