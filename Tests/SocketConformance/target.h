/* What is under test, for the runner. */
#ifndef TARGET_H
#define TARGET_H

extern const char target_name[];
/* Once, before all cases. */
void target_prepare(void);
/* In the process of each case. */
void target_start(int index);
/* Once, after all cases. */
void target_clean(void);

/* Of the case that runs in this process. */
void case_failed(void);
void case_ends(void);

#endif
