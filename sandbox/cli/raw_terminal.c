#include "cli/raw_terminal.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

int raw_terminal_enter(struct raw_terminal *terminal, int fd, struct err *e)
{
	struct termios raw;
	sigset_t signals;
	if (tcgetattr(fd, &terminal->before) < 0)
		return err_set_errno(e, errno, "no-terminal", "cannot read the terminal's settings");
	raw = terminal->before;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0)
		return err_set_errno(e, errno, "no-terminal", "cannot change the terminal's settings");
	terminal->fd = fd;
	sigemptyset(&signals);
	sigaddset(&signals, SIGWINCH);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	terminal->resize_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return 0;
}

void raw_terminal_leave(struct raw_terminal *terminal)
{
	if (terminal->fd >= 0)
		tcsetattr(terminal->fd, TCSADRAIN, &terminal->before);
	if (terminal->resize_fd >= 0)
		close(terminal->resize_fd);
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
