/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/pkg/apt.h"
#include "backends/pkg/deps.h"

const struct pkg_ops *const pkg_backends[] = {
	&pkg_apt,
	NULL,
};

extern const struct dep_ops dep_dnf, dep_zypper, dep_pacman, dep_apk;

/* Beside sysbox.method "files", where Sysbox itself is no package. */
const struct dep_ops *const dep_backends[] = {
	&dep_dnf,
	&dep_zypper,
	&dep_pacman,
	&dep_apk,
	NULL,
};

const struct pkg_ops *pkg_backend(const struct host *h)
{
	for (const struct pkg_ops *const *ops = pkg_backends; *ops; ops++)
		if ((*ops)->usable(h))
			return *ops;
	return NULL;
}

void pkg_status_release(struct pkg_status *s)
{
	free(s->version);
	free(s->arch);
	free(s->want);
	free(s->state);
	*s = (struct pkg_status){ 0 };
}
