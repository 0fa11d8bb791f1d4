/* WANT_SIGNAL: asking for a signal makes its row, in the round's transaction. */
#include "controlplane/engine/effects.h"
#include "controlplane/store/signals.h"

static int prepare(struct effects *effects, struct machine_node *node, struct err *e)
{
	struct machine *m = effects->m;
	struct proto_bytes value;
	const struct proto_bytes type = proto_pack(m->arena, &machine_signal_type(m, node)->base);
	if (signals_await(effects->c, m->arena, m->definition->id, machine_signal_id(node), type, &value, e) < 0)
		return -1;
	node->signal = NULL;
	if (value.data) {
		node->signal = proto_unpack(m->arena, flyteidl__core__literal, value.data, value.length, e);
		if (!node->signal)
			return err_wrap(e, "the stored value of signal \"%s\"", machine_signal_id(node));
	}
	node->answer = ANSWER_GIVEN;
	return 0;
}

const struct effect effect_signal = { prepare, NULL };
