#include "controlplane/api/catalog.h"

#include "base/text.h"

static int check_partition_keys(struct arena *arena, const Datacatalog__Dataset *dataset, struct err *e)
{
	for (size_t i = 0; i < dataset->n_partitionkeys; i++) {
		unsigned times = 0;
		for (size_t k = 0; k < dataset->n_partitionkeys; k++)
			times += text_equal(dataset->partitionkeys[i], dataset->partitionkeys[k]);
		if (times > 1)
			return err_set(e, ERR_INVALID, "invalid-partition-key",
			               "invalid value for partitionKey, value:[%s]",
			               arena_printf(arena, "Keys are not unique, occurrence count: map[%s:%u]",
			                            dataset->partitionkeys[i], times));
	}
	return 0;
}

CATALOG_HANDLER(catalog_dataset_create)
{
	const Datacatalog__Dataset *dataset = ((const Datacatalog__CreateDatasetRequest *)message)->dataset;
	auto_connection struct database_connection *c = NULL;
	if (catalog_require_dataset_id(dataset ? dataset->id : NULL, e) < 0 ||
	    check_partition_keys(call->arena, dataset, e) < 0 || api_connect(context, call, &c, e) < 0)
		return NULL;
	const int made = catalog_insert_dataset(c, call->arena, dataset, e);
	if (made == 0)
		catalog_exists(call->arena, "Dataset", dataset->id, "", e);
	return made > 0 ? &proto_new(call->arena, datacatalog__create_dataset_response)->base : NULL;
}

CATALOG_HANDLER(catalog_dataset_get)
{
	const Datacatalog__DatasetID *id = ((const Datacatalog__GetDatasetRequest *)message)->dataset;
	auto_connection struct database_connection *c = NULL;
	Datacatalog__GetDatasetResponse *response = proto_new(call->arena, datacatalog__get_dataset_response);
	int64_t row_id;
	if (catalog_require_dataset_id(id, e) < 0 || api_connect(context, call, &c, e) < 0 ||
	    catalog_load_dataset(c, call->arena, id, &response->dataset, &row_id, e) < 0)
		return NULL;
	return &response->base;
}

/* Datasets are only filtered by what is theirs. */
static int read_conditions(const Datacatalog__FilterExpression *filter, struct catalog_condition *conditions,
                           size_t *ret_count, struct err *e)
{
	*ret_count = 0;
	for (size_t i = 0; filter && i < filter->n_filters; i++) {
		const Datacatalog__SinglePropertyFilter *f = filter->filters[i];
		if (*ret_count == CATALOG_CONDITIONS_MAXIMUM)
			return err_set(e, ERR_INVALID, "too-many-filters", "more than %d filters",
			               CATALOG_CONDITIONS_MAXIMUM);
		if (f->property_filter_case != DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_DATASET_FILTER)
			return err_set(
			        e, ERR_INVALID, "invalid-filter", "Dataset cannot be filtered by %s properties",
			        f->property_filter_case ==
			                        DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_TAG_FILTER
			                ? "Tag"
			        : f->property_filter_case ==
			                        DATACATALOG__SINGLE_PROPERTY_FILTER__PROPERTY_FILTER_PARTITION_FILTER
			                ? "Partition"
			                : "Artifact");
		const Datacatalog__DatasetPropertyFilter *property = f->dataset_filter;
		struct catalog_condition *condition = &conditions[(*ret_count)++];
		switch (property->property_case) {
		case DATACATALOG__DATASET_PROPERTY_FILTER__PROPERTY_PROJECT:
			*condition = (struct catalog_condition){ CATALOG_PROJECT, property->project, NULL };
			break;
		case DATACATALOG__DATASET_PROPERTY_FILTER__PROPERTY_DOMAIN:
			*condition = (struct catalog_condition){ CATALOG_DOMAIN, property->domain, NULL };
			break;
		case DATACATALOG__DATASET_PROPERTY_FILTER__PROPERTY_NAME:
			*condition = (struct catalog_condition){ CATALOG_NAME, property->name, NULL };
			break;
		case DATACATALOG__DATASET_PROPERTY_FILTER__PROPERTY_VERSION:
			*condition = (struct catalog_condition){ CATALOG_VERSION, property->version, NULL };
			break;
		case DATACATALOG__DATASET_PROPERTY_FILTER__PROPERTY_ORG: /* there is one organisation */
			(*ret_count)--;
			break;
		default:
			return err_set(e, ERR_INVALID, "invalid-filter", "missing property of a filter");
		}
	}
	return 0;
}

CATALOG_HANDLER(catalog_dataset_list)
{
	const Datacatalog__ListDatasetsRequest *request = (const Datacatalog__ListDatasetsRequest *)message;
	auto_connection struct database_connection *c = NULL;
	struct catalog_condition conditions[CATALOG_CONDITIONS_MAXIMUM];
	struct catalog_page page;
	struct catalog_list list;
	size_t count;
	if (catalog_read_page(request->pagination, &page, e) < 0 ||
	    read_conditions(request->filter, conditions, &count, e) < 0)
		return NULL;
	page.conditions = conditions;
	page.condition_count = count;
	if (api_connect(context, call, &c, e) < 0 || catalog_list_datasets(c, call->arena, &page, &list, e) < 0)
		return NULL;
	Datacatalog__ListDatasetsResponse *response = proto_new(call->arena, datacatalog__list_datasets_response);
	response->n_datasets = list.count;
	response->datasets = list.datasets;
	response->next_token = catalog_next_token(call->arena, &page, &list);
	return &response->base;
}
