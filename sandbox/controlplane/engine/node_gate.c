/*
 * Gate nodes wait: for a user's approval of their inputs, for a value that a user sets, or for time to pass (reference
 * §2.10). A signal is a row that is made when its gate is reached, so asking for it is what makes it exist; setting it
 * wakes the execution. When the wait began is kept in the row's recheck_at_ns, from which the end of a sleep and the
 * gate's deadline follow in every later round.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"

static void fail(struct machine *m, struct machine_node *node, Flyteidl__Core__ExecutionError__ErrorKind kind,
                 const char *code, const char *message)
{
	const struct machine_failure failure = {
		.budget = POD_FAILURE_PERMANENT, .kind = kind, .code = code, .message = message
	};
	machine_fail_node(m, node, NODE(FAILED), &failure);
}

/* ---- What is waited for ---- */

static bool awaits_signal(const Flyteidl__Core__GateNode *gate)
{
	return (gate->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_APPROVE && gate->approve) ||
	       (gate->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SIGNAL && gate->signal);
}

const char *machine_signal_id(const struct machine_node *node)
{
	const Flyteidl__Core__GateNode *gate = node->vertex->node->gate_node;
	return gate->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_APPROVE ? gate->approve->signal_id
	                                                                            : gate->signal->signal_id;
}

const Flyteidl__Core__LiteralType *machine_signal_type(struct machine *m, const struct machine_node *node)
{
	const Flyteidl__Core__GateNode *gate = node->vertex->node->gate_node;
	if (gate->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SIGNAL && gate->signal->type)
		return gate->signal->type;
	Flyteidl__Core__LiteralType *boolean = proto_new(m->arena, flyteidl__core__literal_type);
	boolean->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	boolean->simple = FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN;
	return boolean;
}

static const Flyteidl__Core__LiteralMap *named(struct arena *arena, const char *name,
                                               const Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
	        arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	Flyteidl__Core__LiteralMap *literals = proto_new(arena, flyteidl__core__literal_map);
	entry->key = arena_strdup(arena, name);
	entry->value = arena_copy(arena, value, sizeof(*value));
	proto_append(arena, literals->n_literals, literals->literals, entry);
	return literals;
}

static const Flyteidl__Core__Primitive *boolean_of(const Flyteidl__Core__Literal *literal)
{
	const Flyteidl__Core__Scalar *scalar =
	        literal->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR ? literal->scalar : NULL;
	const Flyteidl__Core__Primitive *primitive =
	        scalar && scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE ? scalar->primitive : NULL;
	return primitive && primitive->value_case == FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN ? primitive : NULL;
}

/* False while the inputs are not known, or when the gate has just failed. */
static bool take_approval(struct machine *m, struct machine_node *node)
{
	const Flyteidl__Core__Primitive *approved = boolean_of(node->signal);
	if (!approved) {
		fail(m, node, ERROR_KIND(UNKNOWN), "RuntimeExecutionError",
		     "received a non-boolean approve signal value");
		return false;
	}
	if (!approved->boolean) {
		fail(m, node, ERROR_KIND(USER), "ReceivedRejectSignal",
		     "received a reject signal to disapprove the node input values");
		return false;
	}
	if (!machine_resolve_inputs(m, node))
		return false;
	node->outputs = node->inputs;
	return true;
}

/* ---- Waiting ---- */

static void pass_time(struct machine *m, struct machine_node *node, const Flyteidl__Core__GateNode *gate)
{
	const int64_t until = node->row.recheck_at_ns + machine_duration_ns(gate->sleep->duration);
	if (m->now_ns >= until)
		machine_succeed_node(m, node);
	else
		machine_wake_at(m, until);
}

static void wait_for_signal(struct machine *m, struct machine_node *node, const Flyteidl__Core__GateNode *gate)
{
	if (!node->signal_known) {
		if (!machine_ask(m, node, WANT_SIGNAL))
			return;
		node->signal_known = true;
	}
	if (!node->signal)
		return;
	if (gate->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SIGNAL)
		node->outputs = named(m->arena, gate->signal->output_variable_name, node->signal);
	else if (!take_approval(m, node))
		return;
	if (!machine_write_outputs(m, node))
		return;
	node->outputs_known = true;
	machine_succeed_node(m, node);
}

static void gate_advance(struct machine *m, struct machine_node *node)
{
	const Flyteidl__Core__GateNode *gate = node->vertex->node->gate_node;
	if (node->row.phase == NODE(QUEUED)) {
		if (!machine_write_inputs(m, node))
			return;
		machine_set_node(m, node, NODE(RUNNING));
	}
	if (node->row.recheck_at_ns == 0) {
		node->row.recheck_at_ns = m->now_ns;
		node->row.changed = true;
	}
	if (gate && awaits_signal(gate))
		wait_for_signal(m, node, gate);
	else if (gate && gate->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SLEEP && gate->sleep)
		pass_time(m, node, gate);
	else
		fail(m, node, ERROR_KIND(SYSTEM), "BadSpecificationError",
		     "gateNode does not have a supported condition reference");
}

static void gate_abort(struct machine *m, struct machine_node *node, const char *reason)
{
	(void)m;
	(void)node;
	(void)reason;
}

const struct machine_kind machine_kind_gate = {
	.name = "gate node",
	.advance = gate_advance,
	.abort = gate_abort,
};
