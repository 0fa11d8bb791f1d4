#include "cli/terminal/raw_terminal.h"

#include "base/platform.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The signal's handler writes to it. */
static int resized[2] = { -1, -1 };

static void note_resize(int number)
{
	int saved = errno;
	(void)number;
	(void)!write(resized[1], "", 1);
	errno = saved;
}

int raw_terminal_enter(struct raw_terminal *terminal, int fd, struct err *e)
{
	struct termios raw;
	if (tcgetattr(fd, &terminal->before) < 0)
		return err_set_errno(e, errno, "no-terminal", "cannot read the terminal's settings");
	raw = terminal->before;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0)
		return err_set_errno(e, errno, "no-terminal", "cannot change the terminal's settings");
	terminal->fd = fd;
	if (platform_pipe(resized) == 0) {
		struct sigaction action = { .sa_handler = note_resize, .sa_flags = SA_RESTART };
		sigemptyset(&action.sa_mask);
		sigaction(SIGWINCH, &action, NULL);
		terminal->resize_fd = resized[0];
	}
	return 0;
}

void raw_terminal_leave(struct raw_terminal *terminal)
{
	if (terminal->fd >= 0)
		tcsetattr(terminal->fd, TCSADRAIN, &terminal->before);
	if (terminal->resize_fd >= 0) {
		signal(SIGWINCH, SIG_DFL);
		close(resized[0]);
		close(resized[1]);
	}
	*terminal = (struct raw_terminal)RAW_TERMINAL_INIT;
}

bool raw_terminal_size(int fd, unsigned *ret_rows, unsigned *ret_columns)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		return false;
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col;
	return true;
}
